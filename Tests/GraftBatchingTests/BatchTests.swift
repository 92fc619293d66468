import GraftBatching
import Testing

@Suite struct BatchTests {
  @Test func layingExamplesEndToEndRestartsPositions() {
    let batch = Batch(
      collating: [EncodedExample(tokens: [5, 6, 7]), EncodedExample(tokens: [8, 9])], objective: .nextToken)
    #expect(batch.input.tokens == [5, 6, 7, 8, 9])
    #expect(batch.input.positions == [0, 1, 2, 0, 1])
    #expect(batch.input.spans == [SequenceSpan(start: 0, count: 3), SequenceSpan(start: 3, count: 2)])
    #expect(batch.exampleCount == 2)
  }

  @Test func nextTokenTargetsStayInTheirDocumentAndFollowTheScores() {
    let batch = Batch(
      collating: [
        EncodedExample(tokens: [5, 6, 7, 8], isScored: [false, false, true, true]), EncodedExample(tokens: [9, 10]),
      ], objective: .nextToken)
    #expect(batch.targets == [-100, 7, 8, -100, 10, -100])
    #expect(batch.lossTokenCount == 3)
    #expect(batch.lossTermCount == 3)
  }

  @Test func weightsStandAtTheRowsThatPredictTheirTokens() {
    let weighted = EncodedExample(tokens: [5, 6, 7], isScored: [false, true, true], lossWeights: [9, 0.5, 2])
    let plain = EncodedExample(tokens: [8, 9])
    let next = Batch(collating: [weighted, plain], objective: .nextToken)
    #expect(next.targets == [6, 7, -100, 9, -100])
    #expect(next.targetWeights == [0.5, 2, 1, 1, 1])
    #expect(next.lossTermCount == 3)
    #expect(Batch(collating: [weighted], objective: .shiftedRight(startID: 0)).targetWeights == [9, 0.5, 2])
    #expect(Batch(collating: [plain], objective: .nextToken).targetWeights == nil)
  }

  @Test func labelsCountDocuments() {
    let batch = Batch(
      collating: [EncodedExample(tokens: [1, 2], label: .class(3)), EncodedExample(tokens: [4], label: .value(0.5))],
      objective: .labels)
    #expect(batch.labels == [.class(3), .value(0.5)])
    #expect(batch.targets == [-100, -100, -100])
    #expect(batch.lossTermCount == 2)
  }

  @Test func tokenLabelsAreTakenAsTheyAre() {
    let batch = Batch(
      collating: [EncodedExample(tokens: [1, 2, 3], tokenLabels: [-100, 9, -100]), EncodedExample(tokens: [4])],
      objective: .tokenLabels)
    #expect(batch.targets == [-100, 9, -100, -100])
  }

  @Test func sequenceToSequenceShiftsTheDecoderInputRight() {
    let batch = Batch(
      collating: [
        EncodedExample(tokens: [5, 6, 1], source: [7, 8, 9, 1]), EncodedExample(tokens: [4, 1], source: [3, 1]),
      ], objective: .shiftedRight(startID: 0))
    #expect(batch.input.tokens == [0, 5, 6, 0, 4])
    #expect(batch.targets == [5, 6, 1, 4, 1])
    #expect(batch.source?.tokens == [7, 8, 9, 1, 3, 1])
    #expect(batch.source?.positions == [0, 1, 2, 3, 0, 1])
    #expect(batch.source?.spans == [SequenceSpan(start: 0, count: 4), SequenceSpan(start: 4, count: 2)])
    #expect(batch.tokenCount == 11)
  }

  @Test func optionalPartsAppearOnlyWhereAnExampleHasThem() {
    let plain = Batch(collating: [EncodedExample(tokens: [1, 2])], objective: .nextToken)
    #expect(plain.input.typeIDs == nil && plain.input.promptLengths == nil && plain.source == nil)
    let mixed = Batch(
      collating: [
        EncodedExample(tokens: [1, 2], typeIDs: [0, 1]), EncodedExample(tokens: [3, 4], promptLength: 1),
      ], objective: .nextToken)
    #expect(mixed.input.typeIDs == [0, 1, 0, 0])
    #expect(mixed.input.promptLengths == [0, 1])
  }
}
