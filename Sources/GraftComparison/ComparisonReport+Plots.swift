import GraftReports
import GraftSessions

/// A plot of the report with what its file is called.
struct NamedPlot {
  var name: String
  var plot: any Plot

  init(_ name: String, _ plot: any Plot) { (self.name, self.plot) = (name, plot) }
}

extension ComparisonReport {
  /// The plots as SVG files, by name.
  var pictures: [StandalonePicture] { plots.compactMap { StandalonePicture($0.plot, name: $0.name) } }

  private var trained: [ComparisonResult.Row] { result.rows.dropFirst().filter { $0.score.isFinite } }
  private var title: String { ComparisonText.metric(result.metric) }
  private var unit: PlotUnit { MetricFigure.unit(result.metric) }

  /// The plots, those that say the most first.
  var plots: [NamedPlot] {
    [scores, learningCurves, lossByTime] + (comparesModels ? [lossByTokens, cache] : []) + [pareto] + sweeps + [seconds, memory, sizes]
  }

  /// The scores of the untouched base and of every method, with their intervals.
  private var scores: NamedPlot {
    let base = BarPlot.Bar("untouched base", result.baseline.score, interval: result.rows.first?.interval, series: nil)
    let bars = trained.enumerated().map { BarPlot.Bar($1.name, $1.score, interval: $1.interval, series: $0) }
    return NamedPlot("scores", BarPlot(title: title + ", 95 % intervals", unit: unit, bars: [base] + bars))
  }

  private var learningCurves: NamedPlot { curves("learning-curves", "Training loss", "step") { Double($0.step) } }
  private var lossByTime: NamedPlot { curves("loss-by-time", "Training loss by time", "seconds") { $0.seconds } }
  private var lossByTokens: NamedPlot { curves("loss-by-tokens", "Training loss by tokens", "tokens") { Double($0.tokens) } }

  /// The mean loss over seeds against the mean of something else, with the range over seeds.
  private func curves(_ name: String, _ title: String, _ xLabel: String, _ x: (ComparisonRecord.Point) -> Double) -> NamedPlot {
    let series = trained.compactMap { row -> LinePlot.Series? in
      let runs = successes(of: row)
      guard let length = runs.map(\.points.count).min(), length > 0 else { return nil }
      let places = (0..<length).map { place in runs.map { $0.points[place] } }
      return LinePlot.Series(
        row.name, places.map { .init(x: ScoreTable.mean($0.map(x)), y: ScoreTable.mean($0.map(\.loss))) },
        band: runs.count > 1 ? places.map { ($0.map(\.loss).min() ?? 0)...($0.map(\.loss).max() ?? 0) } : nil)
    }
    let hasSeeds = trained.contains { successes(of: $0).count > 1 }
    return NamedPlot(
      name, LinePlot(title: title + (hasSeeds ? ", mean and range over seeds" : ""), xLabel: xLabel, series: series, maySpanFactors: true))
  }

  /// The runs of a method that have a curve.
  private func successes(of row: ComparisonResult.Row) -> [ComparisonRecord] {
    result.runs.filter { $0.name == row.name && $0.status == .success && !$0.points.isEmpty }
  }

  /// The memory that generation takes for a sequence, by its length.
  private var cache: NamedPlot {
    let series = trained.compactMap { row in
      result.runs.first { $0.name == row.name && !$0.cache.isEmpty }.map { run in
        LinePlot.Series(row.name, run.cache.map { .init(x: Double($0.length), y: Double($0.bytes)) }, hasMarkers: true)
      }
    }
    let plot = LinePlot(
      title: "Cache of one sequence, in float32", xLabel: "tokens", series: series, isLogarithmic: true, maySpanFactors: true, unit: .bytes)
    return NamedPlot("cache-by-length", plot)
  }

  private var pareto: NamedPlot {
    let points = trained.enumerated().map { index, row in
      ScatterPlot.Point(row.name, x: Double(max(1, row.trainableParameters)), y: row.score, interval: row.interval, series: index)
    }
    return NamedPlot(
      "pareto",
      ScatterPlot(title: "\(title) by trained parameters", xLabel: "trained parameters", isLogarithmic: true, unit: unit, points: points))
  }

  /// A curve for every key whose values were compared.
  private var sweeps: [NamedPlot] {
    let keys = trained.compactMap { $0.swept?.key }.reduce(into: [String]()) { if !$0.contains($1) { $0.append($1) } }
    return keys.map { key in
      let rows = trained.filter { $0.swept?.key == key }
      let families = rows.compactMap { $0.swept?.family }.reduce(into: [String]()) { if !$0.contains($1) { $0.append($1) } }
      let series = families.map { family in
        let members = rows.filter { $0.swept?.family == family }.sorted { ($0.swept?.value ?? 0) < ($1.swept?.value ?? 0) }
        return LinePlot.Series(
          family, members.map { .init(x: $0.swept?.value ?? 0, y: $0.score) }, hasMarkers: true,
          band: members.map { $0.interval ?? $0.score...$0.score })
      }
      let isLogarithmic = rows.allSatisfy { ($0.swept?.value ?? 0) > 0 }
      return NamedPlot(
        "by-\(key)", LinePlot(title: "\(title) by \(key)", xLabel: key, series: series, isLogarithmic: isLogarithmic, unit: unit))
    }
  }

  /// Training times, in seconds, minutes or hours.
  private var seconds: NamedPlot {
    let longest = trained.map(\.seconds).max() ?? 0
    let (divisor, name) = longest > 7200 ? (3600.0, "hours") : longest > 180 ? (60.0, "minutes") : (1.0, "seconds")
    return bars("seconds", "Training time, \(name)", .none) { $0.seconds / divisor }
  }

  private var memory: NamedPlot { bars("memory", "Peak memory", .bytes) { Double($0.peakMemoryBytes) } }
  private var sizes: NamedPlot { bars("adapter-size", "Adapter on the disk", .bytes) { Double($0.adapterBytes) } }

  /// The mean over the runs of each method, with the range over seeds where they differ.
  private func bars(_ name: String, _ title: String, _ unit: PlotUnit, _ value: (ComparisonRecord) -> Double) -> NamedPlot {
    let bars = trained.enumerated().compactMap { index, row -> BarPlot.Bar? in
      let values = result.runs.filter { $0.name == row.name && $0.status == .success }.map(value)
      guard let least = values.min(), let most = values.max() else { return nil }
      return BarPlot.Bar(row.name, ScoreTable.mean(values), interval: least < most ? least...most : nil, series: index)
    }
    return NamedPlot(name, BarPlot(title: title, unit: unit, maySpanFactors: true, bars: bars))
  }
}
