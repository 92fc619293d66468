import Foundation
import GraftDatasets
import GraftModels
import GraftSessions
import GraftTestSupport
import GraftTokenizers
import Testing

/// Prompts are answered in groups of no more tokens than a step has, and the answers do not depend on the groups.
@Suite struct AnswerGroupTests {
  @Test func groupsFollowTheTokensAtOnce() throws {
    let seedling = Repository.root.appending(path: "Data/models/seedling")
    let folder = try TemporaryDirectory()
    let lines = (0..<6).map { "{\"prompt\": \"one two \($0)\", \"completion\": \" three\"}\n" }.joined()
    let records = RecordList(try DataFile.records(of: try folder.write(lines.utf8, to: "data.jsonl")))
    let model = try ModelDirectory(seedling.path).model
    let tokenizer = try Tokenizer(directory: seedling)
    func check(_ tokens: Int) throws -> AnswerCheck {
      try #require(
        try AnswerCheck(
          records: records, format: .promptCompletion, tokenizer: tokenizer, model: model, endIDs: [0], tokensAtOnce: tokens))
    }
    #expect(try check(1).groups(for: model) == (0..<6).map { [$0] })
    #expect(try check(100_000).groups(for: model) == [[0, 1, 2, 3, 4, 5]])
    let middle = try check(60).groups(for: model)
    #expect(middle.count > 1 && middle.count < 6 && middle.flatMap(\.self) == Array(0..<6))
    #expect(try check(1).run(by: model).answers.map(\.answer) == check(100_000).run(by: model).answers.map(\.answer))
  }
}
