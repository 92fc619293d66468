import GraftBatching
import Testing

@Suite struct AnswerComparisonTests {
  private func answer(_ prompt: [Int32], _ tokens: [Int32]) -> EncodedExample {
    EncodedExample(tokens: prompt + tokens, isScored: prompt.map { _ in false } + tokens.map { _ in true })
  }

  @Test func aPairIsTwoDocumentsAndOneTerm() {
    var pair = answer([1, 2], [3])
    pair.contrast = answer([1, 2], [4, 5])
    #expect(pair.packedLength == 7 && pair.tokenCount == 7)
    let batch = Batch(collating: [pair, pair], objective: .answers)
    #expect(batch.input.spans.map(\.count) == [3, 4, 3, 4] && batch.lossTermCount == 2 && batch.lossWeight(classWeights: nil) == 2)
    #expect(batch.targets == [-100, 3, -100, -100, 4, 5, -100, -100, 3, -100, -100, 4, 5, -100])
    #expect(batch.lossRowRanges == [0..<1, 1..<3, 3..<4, 4..<6])
    let rejected = batch.documents([1, 3])
    #expect(rejected.input.tokens == [1, 2, 4, 5, 1, 2, 4, 5] && rejected.input.positions == [0, 1, 2, 3, 0, 1, 2, 3])
    #expect(rejected.targets == [-100, 4, 5, -100, -100, 4, 5, -100] && rejected.comparison == nil)
  }

  @Test func anAnswerIsComparedWithAnotherPrompts() {
    let one = answer([1, 2], [3]).contrasted(with: answer([7], [8, 9, 10]))
    #expect(one.contrast?.tokens == [1, 2, 8, 9, 10] && one.contrast?.isScored == [false, false, true, true, true])
    #expect(answer([1, 2], [3]).contrasted(with: answer([7], [8, 9, 10]), maxLength: 4).contrast?.tokens == [1, 2, 8, 9])
  }

  /// As TRL pairs them: the answer before, in groups of a batch whose first has the last.
  @Test func partnersStayInTheirGroups() {
    let partners = AnswerPartners(groupSize: 3, count: 7)
    #expect((0..<7).map { partners[$0] } == [2, 0, 1, 5, 3, 4, 5])
    #expect((0..<3).map { AnswerPartners(groupSize: 1, count: 3)[$0] } == [2, 0, 1])
    #expect(AnswerPartners(groupSize: 4, count: 1)[0] == 0)
  }
}
