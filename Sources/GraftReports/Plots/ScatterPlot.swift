/// Labelled points in a plane, for trade-offs.
package struct ScatterPlot: Plot {
  package struct Point: Sendable {
    package var name: String
    package var x: Double
    package var y: Double
    /// The interval that holds `y` with some confidence.
    package var interval: ClosedRange<Double>?
    package var series: Int

    package init(_ name: String, x: Double, y: Double, interval: ClosedRange<Double>? = nil, series: Int = 0) {
      self.name = name
      self.x = x
      self.y = y
      self.interval = interval
      self.series = series
    }
  }

  package var title: String
  package var xLabel: String
  package var isLogarithmic: Bool
  /// The unit of the y axis.
  package var unit: PlotUnit
  package var points: [Point]

  /// - Parameters:
  ///   - isLogarithmic: true where equal distances along the x axis are equal factors.
  ///   - unit: that of the y axis.
  package init(title: String, xLabel: String, isLogarithmic: Bool = false, unit: PlotUnit = .none, points: [Point]) {
    self.unit = unit
    self.title = title
    self.xLabel = xLabel
    self.isLogarithmic = isLogarithmic
    self.points = points.filter { $0.x.isFinite && $0.y.isFinite }
  }

  package func figure(isSpanning: Bool) -> HTML? {
    guard !points.isEmpty else { return nil }
    return PlotFigure.html(
      title: title,
      pictures: isSpanning
        ? [svg(width: 880, height: 360, class: "wide"), svg(width: 420, height: 300, class: "narrow")] : [svg(width: 420, height: 280)]
    )
  }

  private func svg(width: Double, height: Double, class name: String = "") -> HTML {
    let heights = points.map(\.y) + points.compactMap(\.interval).flatMap { [$0.lowerBound, $0.upperBound] }
    let frame = PlotFrame(
      width: width, height: height,
      x: PlotScale(holding: points.map(\.x), reachesTicks: true, isLogarithmic: isLogarithmic),
      y: PlotScale(holding: heights, reachesTicks: true, unit: unit), xLabel: xLabel)
    let middles = points.map { (name: $0.name, x: frame.x($0.x), y: frame.y($0.y)) }
    let whiskers = zip(points, middles).compactMap { point, middle in
      point.interval.map { LabelPlacement.Box(left: middle.x - 4, top: frame.y($0.upperBound), right: middle.x + 4, bottom: frame.y($0.lowerBound)) }
    }
    let labels = LabelPlacement.labels(
      for: middles, within: .init(left: frame.left, top: 0, right: frame.width, bottom: frame.bottom + 2), avoiding: whiskers)
    let leaders = zip(middles, labels).compactMap { point, label in
      label.leader.map { HTML("<path class=\"leader\" d=\"M\(point.x) \(point.y)L\($0.x) \($0.y)\"/>") }
    }
    let marks = points.indices.map { index in
      let point = points[index]
      let label = labels[index]
      // Where letters are narrower than what was set aside for them, a name still begins, ends or has its middle at its point.
      let (x, anchor) =
        label.right <= middles[index].x
        ? (label.right, "end") : label.left >= middles[index].x ? (label.left, "start") : ((label.left + label.right) / 2, "middle")
      let text: HTML = "<text class=\"name\" x=\"\(x)\" y=\"\(label.baseline)\" text-anchor=\"\(text: anchor)\">\(text: point.name)</text>"
      let title = "\(point.name): \(unit.text(point.y)) at \(Figure.compact(point.x))"
      let interval: HTML = point.interval.map { frame.whisker($0, at: middles[index].x) } ?? ""
      return HTML("\(interval)\(PlotMark.marker(point.series, x: middles[index].x, y: middles[index].y, size: 5.5, title: title))\(text)")
    }
    let description =
      title + ": "
      + points.map { "\($0.name) \(unit.text($0.y)) at \(Figure.compact($0.x))" }.joined(separator: ", ")
    return frame.svg(
      "\(frame.verticalAxis)\(frame.verticalGrid)\(frame.horizontalAxis)\(leaders)\(marks)", description: description, class: name)
  }
}
