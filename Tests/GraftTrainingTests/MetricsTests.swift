import GraftTraining
import Testing

@Suite struct MetricsTests {
  /// Values computed with numpy from the definitions.
  @Test func classification() {
    let table = ConfusionTable(predicted: [0, 1, 2, 2, 1, 0, 1, 2], actual: [0, 1, 1, 2, 0, 0, 2, 2])
    #expect(abs(table.accuracy - 0.625) < 1e-12)
    #expect(abs(table.macroF1 - 0.6222222222) < 1e-9)
    #expect(abs(table.matthewsCorrelation - 0.4523809524) < 1e-9)
  }

  @Test func constantPredictionsCorrelateWithNothing() {
    #expect(ConfusionTable(predicted: [1, 1, 1], actual: [0, 1, 2]).matthewsCorrelation == 0)
    #expect(Metrics.pearson([1, 1, 1], [1, 2, 3]) == 0)
  }

  @Test func pearson() {
    #expect(abs(Metrics.pearson([1, 2, 3, 4], [2, 4, 6, 9]) - 0.9943767127) < 1e-9)
  }
}
