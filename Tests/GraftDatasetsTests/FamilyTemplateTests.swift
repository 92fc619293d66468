import Foundation
import GraftBatching
import GraftDatasets
import GraftJSON
import Testing

/// The templates that behave like those of the published families, of which every answer is found.
private let templates = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
  .appending(path: "GraftTokenizersTests/ChatTemplates/Fixtures/templates")

@Suite struct FamilyTemplateTests {
  private static let names = (try? FileManager.default.contentsOfDirectory(atPath: templates.path))?.filter { $0.hasSuffix(".jinja") }.sorted() ?? []

  private let conversation: JSON = [
    ["role": "user", "content": "QUESTION one?"], ["role": "assistant", "content": "Pear."], ["role": "user", "content": "QUESTION two?"],
    ["role": "assistant", "content": "Plum."],
  ]

  @Test(arguments: names)
  func everyAnswerAndNothingOfTheUsersCarriesLoss(name: String) throws {
    let encoder = try chatEncoder(String(contentsOf: templates.appending(path: name), encoding: .utf8))
    let scored = try encoder.encode(DataRecord(["messages": conversation], file: "d.jsonl", line: 1)).scoredText
    print(name, scored.debugDescription)
    let parts = scored.split(separator: "|", omittingEmptySubsequences: false)
    #expect(parts.count == 2, "\(scored)")
    #expect(parts.first?.contains("Pear.") == true && parts.last?.contains("Plum.") == true, "\(scored)")
    #expect(!scored.contains("QUESTION") && !scored.contains("user") && !scored.contains("assistant"), "\(scored)")
  }
}
