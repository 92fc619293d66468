/// Labelled points in a plane, for trade-offs.
package struct ScatterPlot: Sendable {
  package struct Point: Sendable {
    package var name: String
    package var x: Double
    package var y: Double
    package var series: Int

    package init(_ name: String, x: Double, y: Double, series: Int = 0) {
      self.name = name
      self.x = x
      self.y = y
      self.series = series
    }
  }

  package var title: String
  package var xLabel: String
  package var isLogarithmic: Bool
  package var points: [Point]

  /// - Parameter isLogarithmic: true where equal distances along the x axis are equal factors.
  package init(title: String, xLabel: String, isLogarithmic: Bool = false, points: [Point]) {
    self.title = title
    self.xLabel = xLabel
    self.isLogarithmic = isLogarithmic
    self.points = points.filter { $0.x.isFinite && $0.y.isFinite }
  }

  /// Nil when there is nothing to draw.
  package var html: HTML? {
    guard !points.isEmpty else { return nil }
    let frame = PlotFrame(
      width: 420, height: 280,
      x: PlotScale(holding: points.map(\.x), reachesTicks: true, isLogarithmic: isLogarithmic),
      y: PlotScale(holding: points.map(\.y), reachesTicks: true), xLabel: xLabel)
    let middles = points.map { (name: $0.name, x: frame.x($0.x), y: frame.y($0.y)) }
    let labels = LabelPlacement.labels(for: middles, within: .init(left: frame.left, top: 0, right: frame.width, bottom: frame.bottom + 2))
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
      let title = "\(point.name): \(Figure.compact(point.y)) at \(Figure.compact(point.x))"
      return HTML("\(PlotMark.marker(point.series, x: middles[index].x, y: middles[index].y, size: 5.5, title: title))\(text)")
    }
    let grid = frame.x.ticks.map {
      HTML(
        "<line class=\"grid\" x1=\"\(frame.x($0))\" x2=\"\(frame.x($0))\" y1=\"\(frame.top)\" y2=\"\(frame.bottom)\"/>")
    }
    let description =
      title + ": "
      + points.map { "\($0.name) \(Figure.compact($0.y)) at \(Figure.compact($0.x))" }.joined(separator: ", ")
    return """
      <figure class="plot"><figcaption><span>\(text: title)</span></figcaption>
      \(frame.svg("\(frame.verticalAxis)\(grid)\(frame.horizontalAxis)\(leaders)\(marks)", description: description))</figure>

      """
  }
}
