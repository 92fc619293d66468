/// One horizontal bar for each of several things, with its interval; a point on a line where values lie factors apart.
package struct BarPlot: Plot {
  package struct Bar: Sendable {
    package var name: String
    package var value: Double
    /// The interval that holds the value with some confidence, or its range over repetitions.
    package var interval: ClosedRange<Double>?
    /// The colour, for bars that belong to the series of other plots; nil for one that stands apart.
    package var series: Int?

    package init(_ name: String, _ value: Double, interval: ClosedRange<Double>? = nil, series: Int? = 0) {
      self.name = name
      self.value = value
      self.interval = interval
      self.series = series
    }
  }

  package var title: String
  package var valueLabel: String
  /// The unit of the values.
  package var unit: PlotUnit
  /// True where equal distances are equal factors if the values are so far apart that short bars could not be told from none.
  package var maySpanFactors: Bool
  package var bars: [Bar]

  package init(title: String, valueLabel: String = "", unit: PlotUnit = .none, maySpanFactors: Bool = false, bars: [Bar]) {
    self.title = title
    self.valueLabel = valueLabel
    self.unit = unit
    self.maySpanFactors = maySpanFactors
    self.bars = bars.filter(\.value.isFinite)
  }

  package func figure(isSpanning: Bool) -> HTML? {
    guard !bars.isEmpty else { return nil }
    return PlotFigure.html(
      title: title, remark: spansFactors ? "logarithmic" : "",
      pictures: isSpanning ? [svg(width: 880, class: "wide"), svg(width: 420, class: "narrow")] : [svg(width: 420)])
  }

  /// True where the axis is logarithmic: a bar, which begins at 0, would then have no length.
  private var spansFactors: Bool {
    guard maySpanFactors, let least = bars.map(\.value).min(), let most = bars.map(\.value).max() else { return false }
    return least > 0 && most / least > 50
  }

  private func svg(width: Double, class name: String = "") -> HTML {
    let rowHeight = 30.0
    let names = min(Double(bars.flatMap { Self.lines(of: $0.name).map(\.count) }.max() ?? 0) * LabelPlacement.letterWidth + 14, 186)
    let height = Double(bars.count) * rowHeight + 10 + (valueLabel.isEmpty ? 24 : 40)
    let ends = bars.map(\.value) + bars.compactMap(\.interval).flatMap { [$0.lowerBound, $0.upperBound] }
    let frame = PlotFrame(
      width: width, height: height,
      x: PlotScale(
        holding: ends, includesZero: !spansFactors, reachesTicks: true, isLogarithmic: spansFactors, unit: unit, tickCount: width > 500 ? 8 : 4),
      y: PlotScale(holding: [0, 1], reachesTicks: true), xLabel: valueLabel, left: names)
    let rows = bars.enumerated().map { index, bar in row(bar, middle: frame.top + (Double(index) + 0.5) * rowHeight, frame) }
    let description = title + ": " + bars.map { "\($0.name) \(unit.text($0.value))" }.joined(separator: ", ")
    return frame.svg("\(frame.verticalGrid)\(frame.horizontalAxis)\(rows)", description: description, class: name)
  }

  private func row(_ bar: Bar, middle: Double, _ frame: PlotFrame) -> HTML {
    let lines = Self.lines(of: bar.name)
    let name = lines.enumerated().map { index, line in
      let baseline = middle + 4.5 + 13 * (Double(index) - Double(lines.count - 1) / 2)
      return HTML("<text class=\"name\" x=\"\(frame.left - 8)\" y=\"\(baseline)\" text-anchor=\"end\">\(text: line)</text>")
    }
    let interval = bar.interval.map { "\(unit.text($0.lowerBound)) – \(unit.text($0.upperBound))" }
    return """
      <g><title>\(text: bar.name): \(text: unit.text(bar.value))\(text: interval.map { " (\($0))" } ?? "")</title>\
      \(name)\(mark(bar, middle, frame))\(whisker(bar, middle, frame))\(value(bar, middle, frame))</g>

      """
  }

  private func mark(_ bar: Bar, _ middle: Double, _ frame: PlotFrame) -> HTML {
    let colour: HTML = bar.series.map { "s\($0 % PlotMark.colorCount)" } ?? "apart"
    guard !spansFactors else {
      let end = frame.x(bar.value)
      return """
        <path class="stem \(colour)" d="M\(frame.left) \(middle)H\(end)"/><circle class="bar \(colour)" cx="\(end)" cy="\(middle)" r="6"/>
        """
    }
    let start = min(frame.x(0), frame.x(bar.value))
    let length = abs(frame.x(bar.value) - frame.x(0))
    return "<rect class=\"bar \(colour)\" x=\"\(start)\" y=\"\(middle - 9)\" width=\"\(max(length, 1))\" height=\"18\" rx=\"2\"/>"
  }

  private func whisker(_ bar: Bar, _ middle: Double, _ frame: PlotFrame) -> HTML {
    guard let interval = bar.interval, interval.lowerBound < interval.upperBound else { return "" }
    let (low, high) = (frame.x(interval.lowerBound), frame.x(interval.upperBound))
    return "<path class=\"whisker\" d=\"M\(low) \(middle - 4)v8M\(low) \(middle)H\(high)M\(high) \(middle - 4)v8\"/>"
  }

  /// The value behind the bar and its interval, or inside the bar where there is no room left.
  private func value(_ bar: Bar, _ middle: Double, _ frame: PlotFrame) -> HTML {
    let text = unit.text(bar.value)
    let end = frame.x(max(bar.value, bar.interval?.upperBound ?? bar.value)) + (spansFactors ? 12 : 6)
    let fits = end + Double(text.count) * 7.5 < frame.width
    let inside = frame.x(min(bar.value, bar.interval?.lowerBound ?? bar.value)) - (spansFactors ? 12 : 6)
    let colour: HTML = fits || spansFactors ? "" : " style=\"fill: var(--paper)\""
    return """
      <text class="name" x="\(fits ? end : inside)" y="\(middle + (spansFactors && !fits ? -3 : 4.5))" \
      text-anchor="\(fits ? "start" : "end")"\(colour)>\(text: text)</text>
      """
  }

  /// A name that is long, in two lines; the second is cut where it is longer still.
  private static func lines(of name: String) -> [String] {
    let most = 22
    guard name.count > most else { return [name] }
    let spaces = name.indices.filter { name[$0] == " " && name.distance(from: name.startIndex, to: $0) <= most }
    let end = spaces.last ?? name.index(name.startIndex, offsetBy: most)
    let rest = name[end...].drop { $0 == " " }
    return [String(name[..<end]), rest.count > most ? rest.prefix(most - 1) + "…" : String(rest)]
  }
}
