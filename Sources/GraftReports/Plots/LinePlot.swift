/// Curves over a common axis.
package struct LinePlot: Plot {
  package struct Point: Sendable, Equatable {
    package var x: Double
    package var y: Double

    package init(x: Double, y: Double) {
      self.x = x
      self.y = y
    }
  }

  package struct Series: Sendable {
    package var name: String
    package var points: [Point]
    /// True where every point gets a marker, as for few measurements.
    package var hasMarkers: Bool
    /// The band around the curve, such as the spread over seeds: the lowest and the highest value at every point.
    package var band: [ClosedRange<Double>]?

    /// - Precondition: the band has as many entries as there are points.
    package init(_ name: String, _ points: [Point], hasMarkers: Bool = false, band: [ClosedRange<Double>]? = nil) {
      precondition(band.map { $0.count == points.count } ?? true, "a band has an entry for every point")
      self.name = name
      self.points = points
      self.hasMarkers = hasMarkers
      self.band = band
    }
  }

  package var title: String
  package var xLabel: String
  package var series: [Series]
  package var includesZero: Bool
  /// True where long noisy curves are drawn faint under a smoothed one.
  package var smooths: Bool
  /// True where equal distances along the x axis are equal factors.
  package var isLogarithmic: Bool
  /// True where equal heights are equal factors if values are so far apart that most would lie on the axis.
  package var maySpanFactors: Bool
  /// The unit of the y axis.
  package var unit: PlotUnit

  package init(
    title: String, xLabel: String = "step", series: [Series], includesZero: Bool = false, smooths: Bool = false,
    isLogarithmic: Bool = false, maySpanFactors: Bool = false, unit: PlotUnit = .none
  ) {
    self.title = title
    self.xLabel = xLabel
    self.series = series.filter { $0.points.contains { $0.y.isFinite } }
    self.includesZero = includesZero
    self.smooths = smooths
    self.isLogarithmic = isLogarithmic
    self.maySpanFactors = maySpanFactors
    self.unit = unit
  }

  package var legend: [String] { series.map(\.name) }

  /// The most values that one of the curves has; of one or two a sentence tells as much as a plot.
  package var length: Int { series.map { $0.points.count { $0.y.isFinite } }.max() ?? 0 }

  /// True where the y axis is logarithmic.
  private var spansFactors: Bool {
    let heights = series.flatMap { $0.points.map(\.y).filter(\.isFinite) + ($0.band ?? []).map(\.lowerBound) }
    guard maySpanFactors, !includesZero, let least = heights.min(), let most = heights.max() else { return false }
    return least > 0 && most / least > 20
  }

  package func figure(isSpanning: Bool) -> HTML? {
    guard !series.isEmpty else { return nil }
    return PlotFigure.html(
      title: title, remark: spansFactors ? "logarithmic" : "", legend: marks,
      pictures: isSpanning
        ? [svg(width: 880, height: 330, class: "wide"), svg(width: 420, height: 280, class: "narrow")] : [svg(width: 420, height: 250)]
    )
  }

  private var marks: HTML {
    guard series.count > 1 else { return "" }
    let entries = series.indices.map { index in
      let mark = series[index].hasMarkers ? PlotMark.marker(index, x: 14, y: 6, size: 4, title: "") : ""
      return HTML(
        """
        <span><svg viewBox="0 0 28 12" aria-hidden="true"><path class="\(PlotMark.curve(index))" d="M1 6H27"/>\(mark)</svg>\(text: series[index].name)</span>
        """)
    }
    return "<span class=\"legend\">\(entries)</span>"
  }

  private func svg(width: Double, height: Double, class name: String = "") -> HTML {
    let drawn = series.map { smooths ? Self.smoothed($0.points) : $0.points }
    let values = (series.map(\.points) + drawn).joined()
    let heights = values.map(\.y) + series.compactMap(\.band).joined().flatMap { [$0.lowerBound, $0.upperBound] }
    let frame = PlotFrame(
      width: width, height: height,
      x: PlotScale(holding: values.map(\.x), reachesTicks: false, isLogarithmic: isLogarithmic),
      y: PlotScale(holding: heights, includesZero: includesZero, reachesTicks: true, isLogarithmic: spansFactors, unit: unit), xLabel: xLabel)
    let curves = series.indices.map { index in
      let raw: HTML =
        smooths && drawn[index] != series[index].points
        ? "<path class=\"series faint s\(index % PlotMark.colorCount)\" d=\"\(path(series[index].points, frame))\"/>"
        : ""
      let curve: HTML = "\(band(index, frame))\(raw)<path class=\"\(PlotMark.curve(index))\" d=\"\(path(drawn[index], frame))\"/>"
      let finite = series[index].points.filter(\.y.isFinite)
      guard series[index].hasMarkers || finite.count == 1 else { return curve }
      let markers = finite.map { point in
        PlotMark.marker(
          index, x: frame.x(point.x), y: frame.y(point.y),
          title: "\(series[index].name): \(unit.text(point.y)) at \(xLabel) \(Figure.compact(point.x))")
      }
      return "\(curve)\(whiskers(index, frame))\(markers)"
    }
    return frame.svg("\(frame.verticalAxis)\(frame.horizontalAxis)\(curves)", description: description, class: name)
  }

  private var description: String {
    let curves = series.map { series in
      let finite = series.points.filter(\.y.isFinite)
      guard let first = finite.first, let last = finite.last, let least = finite.map(\.y).min(),
        let most = finite.map(\.y).max()
      else {
        return series.name
      }
      return
        "\(series.name) from \(unit.text(first.y)) at \(xLabel) \(Figure.compact(first.x)) to \(unit.text(last.y)) "
        + "at \(xLabel) \(Figure.compact(last.x)), between \(unit.text(least)) and \(unit.text(most))"
    }
    return "\(title): " + curves.joined(separator: "; ")
  }

  /// The interval of every measurement, where there are few.
  private func whiskers(_ index: Int, _ frame: PlotFrame) -> HTML {
    guard series[index].hasMarkers, let band = series[index].band else { return "" }
    let lines = zip(series[index].points, band).filter { $0.y.isFinite && $1.lowerBound < $1.upperBound }
    return "\(lines.map { frame.whisker($1, at: frame.x($0.x)) })"
  }

  private func band(_ index: Int, _ frame: PlotFrame) -> HTML {
    guard let band = series[index].band, band.count > 1, !series[index].hasMarkers else { return "" }
    let xs = series[index].points.map { frame.x($0.x) }
    let upper = zip(xs, band).map { HTML("\($0) \(frame.y($1.upperBound)) ") }
    let lower = zip(xs, band).reversed().map { HTML("\($0) \(frame.y($1.lowerBound)) ") }
    return "<path class=\"band s\(index % PlotMark.colorCount)\" d=\"M\(upper)\(lower)Z\"/>"
  }

  /// The curve, interrupted where a value is not finite.
  private func path(_ points: [Point], _ frame: PlotFrame) -> HTML {
    var isDown = false
    var commands: [HTML] = []
    for point in Self.thinned(points) {
      if point.y.isFinite { commands.append("\(isDown ? "L" : "M")\(frame.x(point.x)) \(frame.y(point.y))") }
      isDown = point.y.isFinite
    }
    return "\(commands)"
  }

  /// At most about 800 points: of every stretch its lowest and its highest, so that no spike is lost.
  private static func thinned(_ points: [Point]) -> [Point] {
    guard points.count > 800 else { return points }
    let size = (points.count + 399) / 400
    return stride(from: 0, to: points.count, by: size).flatMap { start in
      let stretch = points[start..<min(start + size, points.count)]
      guard stretch.allSatisfy(\.y.isFinite),
        let low = stretch.indices.min(by: { stretch[$0].y < stretch[$1].y }),
        let high = stretch.indices.max(by: { stretch[$0].y < stretch[$1].y })
      else { return Array(stretch) }
      return low == high ? [stretch[low]] : [stretch[min(low, high)], stretch[max(low, high)]]
    }
  }

  /// The average over the neighbourhood of every point, a thirtieth of the curve wide; the curve itself where it is short.
  private static func smoothed(_ points: [Point]) -> [Point] {
    guard points.count >= 40 else { return points }
    let reach = max(1, points.count / 60)
    return points.indices.map { index in
      let side = min(reach, index, points.count - 1 - index)
      let near = points[index - side...index + side].map(\.y).filter(\.isFinite)
      guard points[index].y.isFinite, !near.isEmpty else { return points[index] }
      return Point(x: points[index].x, y: near.reduce(0, +) / Double(near.count))
    }
  }
}
