import Foundation
import GraftTestSupport
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

  struct Golden: Decodable {
    var actual: [[Int]], predicted: [[Int]]
    var subset_accuracy: Double, micro_f1: Double, macro_f1: Double
    var x: [Double], y: [Double]
    var spearman: Double
  }

  /// Values of scikit-learn and SciPy (`Scripts/make-label-goldens.py`): one class never occurs, ranks are tied.
  @Test func setsOfClassesAndRanks() throws {
    let golden = try JSONDecoder().decode(Golden.self, from: Fixtures("GraftTrainingTests").data("label-metrics.json"))
    var table = MultiLabelTable(classes: 4)
    func members(_ row: [Int]) -> Set<Int> { Set(row.indices.filter { row[$0] == 1 }) }
    for (actual, predicted) in zip(golden.actual, golden.predicted) { table.count(predicted: members(predicted), actual: members(actual)) }
    #expect(table.exampleCount == 12)
    #expect(abs(table.subsetAccuracy - golden.subset_accuracy) < 1e-12)
    #expect(abs(table.microF1 - golden.micro_f1) < 1e-12)
    #expect(abs(table.macroF1 - golden.macro_f1) < 1e-12)
    #expect(abs(Metrics.spearman(golden.x, golden.y) - golden.spearman) < 1e-12)
  }
}
