/// Labelled points in a plane, for trade-offs.
public struct ScatterPlot: Sendable {
  public struct Point: Sendable {
    public var name: String
    public var x: Double
    public var y: Double
    public var series: Int

    public init(_ name: String, x: Double, y: Double, series: Int = 0) {
      self.name = name
      self.x = x
      self.y = y
      self.series = series
    }
  }

  public var title: String
  public var xLabel: String
  public var isLogarithmic: Bool
  public var points: [Point]

  /// - Parameter isLogarithmic: Whether equal distances along the x axis are equal factors.
  public init(title: String, xLabel: String, isLogarithmic: Bool = false, points: [Point]) {
    self.title = title
    self.xLabel = xLabel
    self.isLogarithmic = isLogarithmic
    self.points = points.filter { $0.x.isFinite && $0.y.isFinite }
  }

  /// Nil when there is nothing to draw.
  public var html: HTML? {
    guard !points.isEmpty else { return nil }
    let frame = PlotFrame(
      width: 420, height: 280,
      x: PlotScale(holding: points.map(\.x), reachesTicks: true, isLogarithmic: isLogarithmic),
      y: PlotScale(holding: points.map(\.y), reachesTicks: true), xLabel: xLabel)
    var taken: [(x: ClosedRange<Double>, y: Double)] = []
    let marks = points.sorted { $0.y > $1.y }.map { point in
      let (x, y) = (frame.x(point.x), frame.y(point.y))
      let width = Double(point.name.count) * 7
      let isLeft = x + 9 + width > frame.width
      let extent = isLeft ? (x - 9 - width)...(x - 9) : (x + 9)...(x + 9 + width)
      // Labels give way downwards to those that are there already.
      var baseline = y + 4.5
      while taken.contains(where: { abs($0.y - baseline) < 14 && $0.x.overlaps(extent) }) { baseline += 2 }
      taken.append((extent, baseline))
      let label: HTML =
        "<text class=\"name\" x=\"\(isLeft ? x - 9 : x + 9)\" y=\"\(baseline)\" text-anchor=\"\(isLeft ? "end" : "start")\">\(text: point.name)</text>"
      let title = "\(point.name): \(Figure.compact(point.y)) at \(Figure.compact(point.x))"
      return HTML("\(PlotMark.marker(point.series, x: x, y: y, size: 5.5, title: title))\(label)")
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
      \(frame.svg("\(frame.verticalAxis)\(grid)\(frame.horizontalAxis)\(marks)", description: description))</figure>

      """
  }
}
