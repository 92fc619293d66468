import GraftComparison
import Testing

@Suite struct ComparisonTextTests {
  /// Terminals drop columns by their titles, and readers tell them apart by them.
  @Test(arguments: ["loss", "exact_match"]) func noTwoColumnsHaveOneTitle(metric: String) {
    let columns = ComparisonText.columns(metric: metric, hasForgetting: true)
    #expect(Set(columns).count == columns.count && columns.contains("training loss"))
  }
}
