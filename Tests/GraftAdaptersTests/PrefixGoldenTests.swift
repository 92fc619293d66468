import Foundation
import GraftAdapters
import GraftBatching
import GraftCheckpoints
import GraftGeneration
import GraftJSON
import GraftLayers
import GraftModels
import GraftTensors
import Testing

/// Results of PEFT with prefixes of encoder-decoders; made by `Scripts/make-prefix-goldens.py`.
@Suite struct PrefixGoldenTests {
  /// A base with PEFT's adapter on it.
  private struct Subject {
    let name: String, fixture: LlamaFixture, description: JSON
    let model: any SequenceToSequenceModel, delta: Delta

    /// - Parameter names: the tensors of the adapter's that are read; all where nil.
    init(_ name: String, only names: Set<String>? = nil) throws {
      self.name = name
      fixture = try LlamaFixture("prefix")
      description = try #require(fixture.configurations["cases"]?[name])
      let weights = InMemoryWeights(name: name, try fixture.tensors(under: "\(name)/base/"))
      let scope = Scope(source: weights, catalog: SiteCatalog())
      let config = ArchitectureConfiguration(try #require(description["model"]), source: name)
      model = try #require(try ModelFamily.build(ModelRequest(config, task: .seq2seqLM), in: scope) as? any SequenceToSequenceModel)
      let method = try MethodCatalog.decode(stored: try #require(description["adapter"]), from: name)
      let tensors = try fixture.tensors(under: "\(name)/tensors/").filter { names?.contains($0.name) ?? true }
      delta = try Delta(method, on: model.catalog, from: InMemoryWeights(name: name, tensors))
    }

    func sequences(_ key: String) throws -> [[Int32]] {
      try #require(fixture.configurations[key]?.array).map { ($0.array ?? []).map { Int32($0.int ?? -1) } }
    }

    /// The logits of all targets, side by side.
    func logits() throws -> Tensor {
      let targets = try sequences("targets").map { [model.decoderStartID] + $0.dropLast() }
      let source = model.encode(SequenceInput(try sequences("sources")), .inference)
      return model.head.logits(model.decode(SequenceInput(targets), over: source, .inference), .inference)
    }

    func expected(_ key: String) throws -> Tensor { try fixture.file.tensor("\(name)/\(key)") }
  }

  private static let names = ["t5", "t5-network", "bart"]

  @Test(arguments: names) func `logits and gradients are PEFT's`(_ name: String) throws {
    let subject = try Subject(name)
    let tape = Tape()
    let logits = try tape.record { try subject.logits() }
    #expect(difference(logits, try subject.expected("logits")) < 2e-5)
    let found = tape.gradients(of: logits, seed: Tensor((0..<logits.elementCount).map { Float(sin(Double($0))) }, logits.shape))
    let gradients = try subject.fixture.tensors(under: "\(name)/gradients/")
    #expect(Set(gradients.map(\.name)) == Set(subject.delta.parameters.map(\.key)))
    for (key, parameter) in subject.delta.parameters {
      let reference = try #require(gradients.first { $0.name == key }).tensor
      #expect(difference(try #require(found[parameter]), reference) < 5e-5, "\(key)")
    }
  }

  @Test(arguments: names) func `what a network made is enough to use it`(_ name: String) throws {
    let subject = try Subject(name, only: ["prompt_embeddings"])
    #expect(subject.delta.parameters.map(\.key) == ["prompt_embeddings"])
    #expect(difference(try subject.logits(), try subject.expected("logits")) < 2e-5)
  }

  @Test(arguments: names) func `a search writes what PEFT's writes`(_ name: String) throws {
    let subject = try Subject(name)
    let written = try #require(subject.description["written"]?.array)
    let expected = written.map { ($0.array ?? []).map { Int32($0.int ?? -1) } }
    var settings = SamplingSettings()
    settings.maxNewTokens = try #require(expected.first).count
    #expect(try Generator(continuing: subject.model, endIDs: [])(try subject.sequences("sources"), settings) == expected)
  }

  @Test func `the prefix takes positions of the decoder, and none of the encoder`() throws {
    let subject = try Subject("bart")
    let limit = try #require(subject.model.maximumLength) - 3
    var settings = SamplingSettings()
    settings.maxNewTokens = 2 * limit
    let written = try Generator(continuing: subject.model, endIDs: [])(try subject.sequences("sources"), settings)
    #expect(written.allSatisfy { $0.count == limit })
    let long = [Int32](repeating: 1, count: limit + 1)
    #expect(throws: SequenceError.self) { try subject.model.check(long, of: "target", isTarget: true) }
    try subject.model.check(long, of: "source")
  }

  @Test(arguments: names) func `the configuration says what PEFT would guess`(_ name: String) throws {
    let subject = try Subject(name)
    let stored = try subject.delta.stored(taskType: "SEQ_2_SEQ_LM").configuration
    for key in ["num_layers", "num_attention_heads", "num_transformer_submodules", "num_virtual_tokens", "token_dim"] {
      #expect(stored[key]?.int == subject.description["adapter"]?[key]?.int, "\(key)")
    }
  }

  @Test(arguments: [
    (#""num_layers": 1"#, "num_layers: is 1; bart has 2 layers that take a prefix"),
    (#""token_dim": 16"#, "token_dim: is 16; the keys of bart are 8 wide"),
    (#""num_transformer_submodules": 1"#, "num_transformer_submodules: is 1; bart has 2"),
  ]) func `a layout that the model does not have is refused`(_ entry: String, _ message: String) throws {
    let subject = try Subject("bart")
    subject.delta.detach()
    let method = try MethodCatalog.decode(
      stored: try JSON(parsing: #"{"peft_type": "PREFIX_TUNING", "num_virtual_tokens": 3, \#(entry)}"#), from: "test")
    let error = #expect(throws: TuningError.self) { try Delta(method, on: subject.model.catalog) }
    #expect(error?.description.hasPrefix(message) == true)
  }

  /// The length of the difference, as a part of the reference's.
  private func difference(_ tensor: Tensor, _ reference: Tensor) -> Double {
    (tensor - reference).sumOfSquares.squareRoot() / reference.sumOfSquares.squareRoot()
  }
}
