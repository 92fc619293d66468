import GraftTraining
import Testing

/// The choice of the best evaluation, and the end of the patience for a better one.
@Suite struct BestSelectionTests {
  private func best(of values: [Double], metric: String? = nil, isGreaterBetter: Bool? = nil) -> Int? {
    var selection = BestSelection(metric: metric, isGreaterBetter: isGreaterBetter)
    for (index, value) in values.enumerated() { _ = selection.take(value, step: index + 1, epoch: 0) }
    return selection.best?.step
  }

  @Test func nameSaysWhichWayIsBetter() {
    let values = [2.0, 1.0, 3.0]
    #expect(best(of: values) == 2)
    #expect(best(of: values, metric: "eval_perplexity") == 2 && best(of: values, metric: "mean_squared_error") == 2)
    #expect(best(of: values, metric: "accuracy") == 3 && best(of: values, metric: "eval_exact_match") == 3)
    #expect(best(of: values, metric: "accuracy", isGreaterBetter: false) == 2 && best(of: values, metric: "loss", isGreaterBetter: true) == 3)
    #expect(BestSelection(metric: "f1").metric == "eval_f1" && BestSelection().metric == "eval_loss")
  }

  /// Of equal ones the first is kept, and one that is no number is never the best.
  @Test func onlyWhatIsBetterTakesThePlace() {
    #expect(best(of: [1, 1, .nan]) == 1)
    #expect(best(of: [.nan, .infinity]) == nil)
    #expect(best(of: [.nan, 5]) == 2)
  }

  @Test func patienceCountsEvaluationsInARowAndGoesOnFromACheckpoint() {
    var selection = BestSelection()
    let outcomes = [3.0, 2, 2.5, 1.5, 1.6, 1.7].enumerated().map { index, value in
      _ = selection.take(value, step: index, epoch: 0)
      return selection.isExhausted(patience: 2)
    }
    #expect(outcomes == [false, false, false, false, false, true])
    #expect(!selection.isExhausted(patience: nil) && !selection.isExhausted(patience: 3))
    var resumed = BestSelection()
    resumed.resume(selection.best, misses: selection.misses)
    #expect(resumed == selection && resumed.isExhausted(patience: 2))
  }
}
