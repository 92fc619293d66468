import GraftSessions
import GraftTensors
import Testing

/// Advice comes where something is probably not meant, and nowhere else.
@Suite struct RunAdviceTests {
  @Test func sixteenBitsNeedNotBecomeThirtyTwo() throws {
    let advice = try #require(RunAdvice.widening(storedBytes: 988_000_000, format: .bfloat16))
    #expect(advice.contains("takes 1.98 GB instead of 988 MB; model.dtype: bfloat16 keeps them"))
    #expect(RunAdvice.widening(storedBytes: 3_600_000, format: .bfloat16) == nil)
  }

  @Test(arguments: [(2e-4, false), (3e-3, false), (5e-3, true), (1.1e-5, false), (9e-6, true)])
  func ratesFarFromTheMethodsAreNamed(rate: Double, isFar: Bool) {
    #expect((RunAdvice.learningRate(rate, usual: 2e-4, method: "LORA", parameterCount: 500_000_000) != nil) == isFar)
  }

  @Test func smallModelsBearHigherRates() {
    #expect(RunAdvice.learningRate(1e-3, usual: 2e-5, method: "FULL", parameterCount: 500_000_000) != nil)
    #expect(RunAdvice.learningRate(1e-3, usual: 2e-5, method: "FULL", parameterCount: 1_800_000) == nil)
  }

  @Test func aLossThatDoesNotFallIsTold() throws {
    let flat = (0..<20).map { $0.isMultiple(of: 2) ? 2.0 : 2.01 }
    #expect(try #require(RunAdvice.flatLoss(flat, learningRate: 1e-4)).contains("2.0050 at first, 2.0050 at last"))
    #expect(RunAdvice.flatLoss((0..<20).map { 2 - 0.01 * Double($0) }, learningRate: 1e-4) == nil)
    #expect(RunAdvice.flatLoss(Array(flat.prefix(9)), learningRate: 1e-4) == nil)
    #expect(RunAdvice.flatLoss(flat.map { $0 / 1000 }, learningRate: 1e-4) == nil)
  }

  @Test func theCommonestClassIsNoAccuracy() throws {
    let classes = [0, 1, 1, 1]
    #expect(
      try #require(RunAdvice.majority(accuracy: 0.75, classes: classes, names: ["bad", "good"])).contains(
        "75.0 % is that of always answering \"good\""))
    #expect(RunAdvice.majority(accuracy: 0.5, classes: classes, names: ["bad", "good"]) == nil)
    #expect(RunAdvice.majority(accuracy: 1, classes: [1, 1], names: ["bad", "good"]) == nil)
  }

  @Test func mostExamplesCutIsTold() {
    #expect(RunAdvice.cuts(6, of: 10, keeping: 300) == "data.max_length: 300 keeps 95 % of the examples whole")
    #expect(RunAdvice.cuts(5, of: 10, keeping: 300) == nil)
  }
}
