import Foundation
import GraftDatasets
import GraftJSON
import GraftTestSupport
import Testing

/// Templates that behave like those of the published families.
private let templates = "Tests/GraftTemplatesTests/Fixtures/templates"

@Suite struct FamilyTemplateTests {
  /// All but one that tries the language and writes no conversation.
  private static let names = Repository.names(in: templates, endingWith: ".jinja").filter { $0 != "language.jinja" }

  /// Texts in front of answers that are learned with them, since the families' prompts do not ask with them.
  private static let openings = [
    "gpt-oss.jinja": ["<|channel|>final<|message|>", "<|channel|>final<|message|>"], "qwen3.jinja": ["", "<think>\n\n</think>\n\n"],
    "smollm3.jinja": ["<|im_start|>assistant\n", "<|im_start|>assistant\n"], "command-r-tools.jinja": ["ASSISTANT|>", "ASSISTANT|>"],
  ]

  private let conversation: JSON = [
    ["role": "user", "content": "QUESTION one?"], ["role": "assistant", "content": "Pear."], ["role": "user", "content": "QUESTION two?"],
    ["role": "assistant", "content": "Plum."],
  ]

  @Test func thereAreTemplates() { #expect(Self.names.count > 20) }

  @Test(arguments: names)
  func everyAnswerCarriesLossAndNothingElse(name: String) throws {
    let encoder = try chatEncoder(Repository.text("\(templates)/\(name)"))
    let scored = try encoder.encode(DataRecord(["messages": conversation], file: "d.jsonl", line: 1)).scoredText
    // Stretches are parted by a bar, which ends of turns have as well.
    let first = try #require(scored.firstRange(of: "Pear."))
    let last = try #require(scored.firstRange(of: "Plum."))
    let openings = Self.openings[name] ?? ["", ""]
    #expect(
      scored[..<first.lowerBound].trimmingCharacters(in: .whitespacesAndNewlines) == openings[0].trimmingCharacters(in: .whitespacesAndNewlines))
    let between = scored[first.upperBound..<last.lowerBound]
    #expect(between.trimmingCharacters(in: .whitespaces).hasSuffix("|" + openings[1].trimmingCharacters(in: .whitespaces)) || openings[1].isEmpty)
    #expect(!scored.contains("QUESTION") && !scored.contains("user"), "\(scored)")
  }
}
