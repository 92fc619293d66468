import Foundation
import GraftRecipes

/// The findings of a comparison: the runs, and their summary by method.
public struct ComparisonResult: Sendable {
  /// The recipe of the comparison.
  public let recipe: Recipe
  /// The untouched base.
  public let baseline: ComparisonRecord
  /// Every method under every seed.
  public let runs: [ComparisonRecord]
  /// The runs by which learning rates were chosen.
  public let trials: [ComparisonRecord]
  /// The folder of the results.
  public let output: String
  /// The name of the base.
  public let baseName: String
  /// One line a method in the order of the recipe, after the untouched base.
  public let rows: [Row]

  /// The summary of a method over its seeds.
  public struct Row: Sendable {
    /// The method's name in the recipe.
    public var name: String
    /// The end of its runs: a success where one succeeded.
    public var status: ComparisonRecord.Status
    /// The cause of a failure, where nothing succeeded or some seeds did not.
    public var message = ""
    /// The mean over seeds and examples; not a number where nothing succeeded.
    public var score = Double.nan
    /// The 95 % confidence interval of the mean.
    public var interval: ClosedRange<Double>?
    /// True where this is the best, and where it cannot be told from the best.
    public var isBest = false, isTie = false
    /// The numbers of its runs, and of those that failed.
    public var runCount = 0, failureCount = 0
    /// The highest learning rate.
    public var learningRate = 0.0
    /// Sizes of the first run that succeeded; the memory is the largest of all.
    public var trainableParameters = 0, adapterBytes = 0, peakMemoryBytes = 0, tokens = 0
    /// Means over the runs that succeeded.
    public var seconds = 0.0, tokensPerSecond = 0.0
    /// Means over the runs that succeeded; nil where one of them has none.
    public var finalLoss: Double?, forgetting: Double?
    /// True where the method can be folded into the base.
    public var isMergeable = false
    /// The key and value that place the method on a curve.
    public var swept: Recipe.ComparedMethod.SweptKey?
  }

  init(
    recipe: Recipe, baseline: ComparisonRecord, runs: [ComparisonRecord], trials: [ComparisonRecord] = [], output: String, baseName: String
  ) {
    (self.recipe, self.baseline, self.runs, self.trials) = (recipe, baseline, runs, trials)
    (self.output, self.baseName) = (output, baseName)
    rows = Self.rows(baseline, runs)
  }

  /// `exact_match`, `accuracy`, `loss` or `squared_error`.
  public var metric: String { baseline.metric }
  /// True where the metric rises as a model improves.
  public var isHigherBetter: Bool { baseline.isHigherBetter }

  /// The method with the best score; nil where nothing succeeded.
  public var best: Row? { rows.first(where: \.isBest) }

  /// True where the untouched base is the best itself, or cannot be told from the best.
  public var isBaseAsGood: Bool { rows.first.map { $0.status == .baseline && ($0.isBest || $0.isTie) } ?? false }

  /// True where all methods read as many tokens as each other under every seed.
  public var hasEqualBudgets: Bool {
    let done = runs.filter { $0.status == .success }
    return Dictionary(grouping: done, by: \.seed).values.allSatisfy { Set($0.map(\.tokens)).count <= 1 }
  }

  private static func rows(_ baseline: ComparisonRecord, _ runs: [ComparisonRecord]) -> [Row] {
    var names: [String] = []
    for run in runs where !names.contains(run.name) { names.append(run.name) }
    var rows = [row("untouched base", [baseline])] + names.map { name in row(name, runs.filter { $0.name == name }) }
    let tables = ([[baseline]] + names.map { name in runs.filter { $0.name == name } }).map(table)
    let candidates = rows.indices.filter { rows[$0].score.isFinite }
    guard let best = candidates.max(by: { baseline.isHigherBetter ? rows[$0].score < rows[$1].score : rows[$0].score > rows[$1].score }) else {
      return rows
    }
    rows[best].isBest = true
    for index in candidates where index != best {
      guard let (winner, other) = paired(tables[best], tables[index]) else { continue }
      rows[index].isTie = Bootstrap.isTie(other, with: winner)
    }
    return rows
  }

  private static func row(_ name: String, _ records: [ComparisonRecord]) -> Row {
    let good = records.filter { $0.status == .success || $0.status == .baseline }
    var row = Row(name: name, status: good.first?.status ?? records.first?.status ?? .failed)
    (row.runCount, row.failureCount) = (records.count, records.count - good.count)
    row.message = records.first { $0.status == .failed || $0.status == .diverged }?.message ?? ""
    row.swept = records.first?.swept
    row.learningRate = records.first?.learningRate ?? 0
    guard !good.isEmpty else { return row }
    func mean(_ value: (ComparisonRecord) -> Double) -> Double { ScoreTable.mean(good.map(value)) }
    let scores = ScoreTable(good.map(\.scores))
    row.score = scores.mean
    row.interval = good[0].isShare ? Bootstrap.shareInterval(of: scores) : Bootstrap.interval(of: scores)
    row.trainableParameters = good[0].trainableParameters
    row.adapterBytes = good[0].adapterBytes
    row.peakMemoryBytes = good.map(\.peakMemoryBytes).max() ?? 0
    row.tokens = good[0].tokens
    (row.seconds, row.tokensPerSecond) = (mean(\.seconds), mean(\.tokensPerSecond))
    if good.allSatisfy({ $0.finalLoss != nil }) { row.finalLoss = mean { $0.finalLoss ?? 0 } }
    if good.allSatisfy({ $0.forgetting != nil }) { row.forgetting = mean { $0.forgetting ?? 0 } }
    row.isMergeable = good[0].isMergeable
    return row
  }

  /// The scores by seed.
  private static func table(_ records: [ComparisonRecord]) -> [Int: [Double]] {
    Dictionary(records.filter { $0.status == .success || $0.status == .baseline }.map { ($0.seed, $0.scores) }) { first, _ in first }
  }

  /// Two methods' scores under the seeds that both have; the base has no seeds, and is the same under each.
  private static func paired(_ a: [Int: [Double]], _ b: [Int: [Double]]) -> (ScoreTable, ScoreTable)? {
    let seeds = (a.count >= b.count ? a : b).keys.sorted()
    func line(_ table: [Int: [Double]], _ seed: Int) -> [Double]? { table[seed] ?? (table.count == 1 ? table.values.first : nil) }
    let pairs = seeds.compactMap { seed in line(a, seed).flatMap { first in line(b, seed).map { (first, $0) } } }
    guard !pairs.isEmpty else { return nil }
    return (ScoreTable(pairs.map(\.0)), ScoreTable(pairs.map(\.1)))
  }
}

extension ComparisonResult {
  /// The table as comma-separated values: a line for every method (`seed` is `all`), then one for every run.
  public var csv: String {
    let header =
      "name,seed,status,metric,score,interval_low,interval_high,standing,learning_rate,trainable_parameters,adapter_bytes,peak_memory_bytes,"
      + "seconds,tokens,tokens_per_second,final_loss,forgetting,mergeable,message"
    let summaries = rows.map { row in
      [
        row.name, "all", row.status.rawValue, metric, text(row.score), text(row.interval?.lowerBound), text(row.interval?.upperBound),
        row.isBest ? "best" : row.isTie ? "tie" : "", text(row.learningRate), "\(row.trainableParameters)", "\(row.adapterBytes)",
        "\(row.peakMemoryBytes)", text(row.seconds), "\(row.tokens)", text(row.tokensPerSecond), text(row.finalLoss), text(row.forgetting),
        row.isMergeable ? "yes" : "no", row.message,
      ]
    }
    let single = runs.map { run in
      [
        run.name, "\(run.seed)", run.status.rawValue, run.metric, text(run.score), "", "", "", text(run.learningRate), "\(run.trainableParameters)",
        "\(run.adapterBytes)", "\(run.peakMemoryBytes)", text(run.seconds), "\(run.tokens)", text(run.tokensPerSecond), text(run.finalLoss),
        text(run.forgetting), run.isMergeable ? "yes" : "no", run.message,
      ]
    }
    return ([header] + (summaries + single).map { $0.map(Self.field).joined(separator: ",") }).joined(separator: "\n") + "\n"
  }

  private func text(_ value: Double?) -> String { value.map { $0.isFinite ? "\($0)" : "" } ?? "" }

  private static func field(_ text: String) -> String {
    text.contains { ",\"\n\r".contains($0) } ? "\"" + text.replacingOccurrences(of: "\"", with: "\"\"") + "\"" : text
  }
}
