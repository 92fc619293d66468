import Foundation
import GraftJSON
import GraftModels
import GraftSessions
import GraftTestSupport
import Testing

/// Embeddings of sentence-transformers; made by `Scripts/make-embedding-goldens.py`.
@Suite struct EmbeddingTests {
  private let fixtures = Fixtures("GraftSessionsTests")
  private let goldens: JSON

  init() throws { goldens = try fixtures.json("sentences/cases.json") }

  /// A copy of the model with the files of a case.
  private func makeDirectory(_ example: JSON) throws -> TemporaryDirectory {
    let place = try TemporaryDirectory(copying: fixtures.file("sentences/bert"))
    for (name, content) in example["files"]?.object ?? [:] { try place.write(content.serializedBytes(), to: name) }
    for (name, content) in example["weights"]?.object ?? [:] { try place.write(try #require(Data(base64Encoded: content.string ?? "")), to: name) }
    let texts = (goldens["texts"]?.array ?? []).map { (["text": $0] as JSON).serialized() + "\n" }
    try place.write(texts.joined().utf8, to: "texts.jsonl")
    return place
  }

  private func vectors(in place: TemporaryDirectory, _ change: (inout EmbeddingOptions) -> Void = { _ in }) throws -> [[Float]] {
    let modules = try SentenceModules(in: place.path)
    var options = EmbeddingOptions()
    change(&options)
    return try ModelSession(model: modules?.encoderPath ?? place.path, isHeadless: true)
      .embeddings(of: place.file("texts.jsonl"), options, modules: modules)
  }

  private func distance(_ found: [[Float]], _ expected: JSON?) throws -> Double {
    let rows = try #require(expected?.array).map(\.doubles)
    try #require(found.map(\.count) == rows.map(\.count))
    return zip(found.joined(), rows.joined()).map { abs(Double($0) - $1) }.max() ?? .nan
  }

  @Test func equalsSentenceTransformers() throws {
    let cases = try #require(goldens["cases"]?.array)
    #expect(cases.count > 20)
    for (number, example) in cases.enumerated() {
      let place = try makeDirectory(example)
      let asked = example["asked"]
      let found = try vectors(in: place) { ($0.prompt, $0.promptName) = (asked?["prompt"]?.string, asked?["prompt_name"]?.string) }
      #expect(try distance(found, example["vectors"]) < 2e-5, "case \(number)")
    }
  }

  /// The model may lie in a folder of its own, as older releases put it.
  @Test func theModelMayHaveAFolder() throws {
    let example = try #require(goldens["cases"]?[0])
    let place = try makeDirectory(example)
    let inner = place.url.appending(path: "0_Transformer")
    try FileManager.default.createDirectory(at: inner, withIntermediateDirectories: true)
    for name in try FileManager.default.contentsOfDirectory(atPath: fixtures.path("sentences/bert")) {
      try FileManager.default.moveItem(at: place.url.appending(path: name), to: inner.appending(path: name))
    }
    var modules = try #require(example["files"]?["modules.json"]?.array)
    modules[0]["path"] = "0_Transformer"
    try Data(JSON.array(modules).serialized().utf8).write(to: place.url.appending(path: "modules.json"))
    #expect(try distance(vectors(in: place), example["vectors"]) < 2e-5)
  }

  @Test func optionsComeBeforeTheFiles() throws {
    // The second case pools the first token and makes its length 1; the sixth takes the mean so.
    let cases = try #require(goldens["cases"]?.array)
    let place = try makeDirectory(cases[1])
    let mean = try vectors(in: place) { ($0.pooling, $0.promptName) = (.mean, "query") }
    #expect(try distance(mean, cases[5]["vectors"]) < 2e-5)
    let plain = try vectors(in: place) { ($0.pooling, $0.normalizes) = (.mean, false) }
    #expect(try distance(plain, cases[4]["vectors"]) < 2e-5)
    #expect(throws: SessionError.self) { try vectors(in: place) { $0.promptName = "other" } }
    // A checkpoint that says nothing: the mean.
    try FileManager.default.removeItem(at: place.url.appending(path: "modules.json"))
    #expect(try distance(vectors(in: place), cases[4]["vectors"]) < 2e-5)
    #expect(try distance(vectors(in: place) { $0.pooling = .cls }, cases[0]["vectors"]) < 2e-5)
    let unit = try vectors(in: place) { $0.normalizes = true }
    #expect(unit.allSatisfy { abs($0.reduce(0) { $0 + $1 * $1 } - 1) < 1e-5 })
  }

  @Test(arguments: [
    ("modules.json", #"[{"path": "", "type": "sentence_transformers.models.WordEmbeddings"}]"#, "starts with WordEmbeddings"),
    ("modules.json", #"[{"path": "", "type": "a.Transformer"}]"#, "not followed by a Pooling"),
    (
      "modules.json", #"[{"path": "", "type": "a.Transformer"}, {"path": "1_Pooling", "type": "a.Pooling"}, {"path": "2", "type": "a.LSTM"}]"#,
      "type LSTM is not supported"
    ),
    ("modules.json", #"[{"path": 3}]"#, "entry 1 has no type and path"), ("modules.json", "[", "modules.json:1"),
    ("1_Pooling/config.json", #"{"pooling_mode": "median"}"#, "pooling_mode: unknown \"median\""),
    ("config_sentence_transformers.json", #"{"model_type": "SparseEncoder"}"#, "model_type: unsupported SparseEncoder"),
    ("sentence_bert_config.json", #"{"max_seq_length": 0}"#, "max_seq_length: is 0"),
    ("sentence_bert_config.json", #"{"transformer_task": "fill-mask"}"#, "transformer_task: unsupported fill-mask"),
    ("sentence_bert_config.json", #"{"modality_config": {"text": {}, "message": {"format": "flat"}}}"#, "modality_config: message: unsupported"),
    ("sentence_bert_config.json", #"{"modality_config": {"text": {"method_output_name": "pooler_output"}}}"#, "unsupported pooler_output"),
    ("sentence_bert_config.json", #"{"processing_kwargs": {"text": {"max_length": 4}}}"#, "processing_kwargs: unsupported"),
  ]) func whatIsNotSupportedIsRefused(_ name: String, _ content: String, _ message: String) throws {
    let place = try makeDirectory(try #require(goldens["cases"]?[0]))
    try Data(content.utf8).write(to: place.url.appending(path: name))
    #expect { try vectors(in: place) } throws: { "\($0)".contains(message) }
  }
}
