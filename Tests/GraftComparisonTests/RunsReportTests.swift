import GraftComparison
import Testing

@Suite struct RunsReportTests {
  /// Wilson's interval of 9 successes in 10, and of none in 10, as statsmodels' `proportion_confint(method="wilson")` gives them.
  @Test func sharesHaveIntervals() {
    let nine = FinishedRun.interval(share: 0.9, count: 10)
    #expect(abs(nine.lowerBound - 0.595850) < 1e-5 && abs(nine.upperBound - 0.982124) < 1e-5)
    let none = FinishedRun.interval(share: 0, count: 10)
    #expect(none.lowerBound < 1e-9 && abs(none.upperBound - 0.277533) < 1e-5)
  }
}
