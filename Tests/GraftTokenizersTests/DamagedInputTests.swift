import Foundation
import FuzzSupport
import GraftJSON
import GraftTestSupport
import GraftTokenizers
import Testing

/// Damaged tokenizers are refused with a word, or do something: no crash, nothing endless.
@Suite("damaged tokenizers")
struct DamagedInputTests {
  private static let text = "The quick brown fox's 12,345 naïve façade — 東京 \u{1F600}\n\n<s> [INST] aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa </s>"

  private func expectNoProblems(_ report: FuzzReport) {
    #expect(report.problems.isEmpty, "\(report.problems.prefix(5)) (seed \(Fuzzing.seed))")
    #expect(report.refused > report.count / 20, "\(report.refused) of \(report.count) were refused")
  }

  /// Fixtures are cut to a few kilobytes, so that damage hits what is not vocabulary.
  private func fixtures() throws -> [JSON] {
    try Fixture.names.map { name in
      var json = try Fixtures("GraftTokenizersTests").json("\(name)/tokenizer.json")
      let model = json["model"]
      switch model?["vocab"] {
      case .object(let members): json["model"]?["vocab"] = .object(JSONObject(members.prefix(40).map { ($0.key, $0.value) }))
      case .array(let entries): json["model"]?["vocab"] = .array(Array(entries.prefix(40)))
      default: break
      }
      if let merges = model?["merges"]?.array { json["model"]?["merges"] = .array(Array(merges.prefix(6))) }
      return json
    }
  }

  private func use(_ json: JSON) throws -> Int {
    let tokenizer = try Tokenizer(json: json, configuration: TokenizerConfiguration(configuration: json), source: "tokenizer.json")
    return tokenizer.decode(tokenizer.encode(Self.text)).utf8.count
  }

  @Test func tokenizersWithOtherValues() throws {
    var mutator = JSONMutator(seed: Fuzzing.seed, seeds: try fixtures())
    let report = Fuzzing.run({ mutator.next().serializedBytes() }, factor: 100, isRefusal: { $0 is TokenizerError || $0 is JSONError }) { bytes in
      try use(JSON(parsing: bytes))
    }
    expectNoProblems(report)
  }

  @Test func tokenizersWithOtherBytes() throws {
    let seeds = try fixtures().map { $0.serializedBytes() }
    expectNoProblems(
      Fuzzing.bytes(like: seeds, factor: 100, isRefusal: { $0 is TokenizerError || $0 is JSONError }) { try use(JSON(parsing: $0)) })
  }

  /// The longest token decides how far every place of a text is compared: time must not grow with the square of both.
  @Test("long tokens and long words take time in proportion", arguments: ["Unigram", "WordPiece", "WordLevel", "BPE"])
  func longTokens(type: String) throws {
    let long = String(repeating: "a", count: 100_000)
    let text = String(repeating: "a", count: 99_999) + "b"
    var model: JSON = ["type": .string(type), "unk_token": "u", "unk_id": 0, "max_input_chars_per_word": .integer(1 << 40)]
    let tokens = ["u", "a", "##a", long, "##" + long]
    model["vocab"] =
      type == "Unigram" ? .array(tokens.map { [.string($0), -1.0] }) : .object(JSONObject(tokens.enumerated().map { ($1, .integer($0)) }))
    if type == "BPE" { model["merges"] = [] }
    let added: JSON = [["id": 5, "content": .string(long + "c"), "special": true, "normalized": false]]
    let start = Fuzzing.processorSeconds
    do {
      let tokenizer = try Tokenizer(json: ["model": model, "added_tokens": added], configuration: TokenizerConfiguration(), source: "tokenizer.json")
      _ = tokenizer.encode(text)
    } catch { #expect("\(error)".contains("longer than"), "\(error)") }
    #expect(Fuzzing.processorSeconds - start < 5)
  }
}
