/// One horizontal bar for each of several things, with its spread.
package struct BarPlot: Sendable {
  package struct Bar: Sendable {
    package var name: String
    package var value: Double
    /// The standard deviation over repetitions.
    package var deviation: Double?
    /// The colour, for bars that belong to the series of other plots.
    package var series: Int

    package init(_ name: String, _ value: Double, deviation: Double? = nil, series: Int = 0) {
      self.name = name
      self.value = value
      self.deviation = deviation
      self.series = series
    }
  }

  package var title: String
  package var valueLabel: String
  package var bars: [Bar]

  package init(title: String, valueLabel: String = "", bars: [Bar]) {
    self.title = title
    self.valueLabel = valueLabel
    self.bars = bars.filter(\.value.isFinite)
  }

  /// Nil when there is nothing to draw.
  package var html: HTML? {
    guard !bars.isEmpty else { return nil }
    let rowHeight = 30.0
    let names = min(Double(bars.flatMap { Self.lines(of: $0.name).map(\.count) }.max() ?? 0) * LabelPlacement.letterWidth + 14, 186)
    let height = Double(bars.count) * rowHeight + 10 + (valueLabel.isEmpty ? 24 : 40)
    let ends = bars.flatMap { [$0.value - ($0.deviation ?? 0), $0.value + ($0.deviation ?? 0)] }
    let frame = PlotFrame(
      width: 420, height: height, x: PlotScale(holding: ends, includesZero: true, reachesTicks: true, tickCount: 4),
      y: PlotScale(holding: [0, 1], reachesTicks: true), xLabel: valueLabel, left: names)
    let grid = frame.x.ticks.map {
      HTML(
        "<line class=\"grid\" x1=\"\(frame.x($0))\" x2=\"\(frame.x($0))\" y1=\"\(frame.top)\" y2=\"\(frame.bottom)\"/>")
    }
    let rows = bars.enumerated().map { index, bar in
      row(bar, middle: frame.top + (Double(index) + 0.5) * rowHeight, frame)
    }
    let description = title + ": " + bars.map { "\($0.name) \(Figure.compact($0.value))" }.joined(separator: ", ")
    return """
      <figure class="plot"><figcaption><span>\(text: title)</span></figcaption>
      \(frame.svg("\(grid)\(frame.horizontalAxis)\(rows)", description: description))</figure>

      """
  }

  private func row(_ bar: Bar, middle: Double, _ frame: PlotFrame) -> HTML {
    let start = min(frame.x(0), frame.x(bar.value))
    let length = abs(frame.x(bar.value) - frame.x(0))
    let deviation = bar.deviation ?? 0
    let whisker: HTML =
      deviation > 0
      ? """
      <path class="whisker" d="M\(frame.x(bar.value - deviation)) \(middle)H\(frame.x(bar.value + deviation))"/>
      """ : ""
    let value = Figure.compact(bar.value) + (deviation > 0 ? " ± " + Figure.compact(deviation) : "")
    // The value stands behind the bar, or inside it where there is no room left.
    let valueWidth = Double(value.count) * 8.5
    let end = frame.x(bar.value + deviation) + 6
    let fits = end + valueWidth < frame.width
    let lines = Self.lines(of: bar.name)
    let name = lines.enumerated().map { index, line in
      let baseline = middle + 4.5 + 13 * (Double(index) - Double(lines.count - 1) / 2)
      return HTML("<text class=\"name\" x=\"\(frame.left - 8)\" y=\"\(baseline)\" text-anchor=\"end\">\(text: line)</text>")
    }
    return """
      <g><title>\(text: bar.name): \(text: value)</title>\
      \(name)\
      <rect class="bar s\(bar.series % PlotMark.colorCount)" x="\(start)" y="\(middle - 9)" width="\(max(length, 1))" height="18" rx="2"/>\
      \(whisker)<text class="name" x="\(fits ? end : frame.x(bar.value - deviation) - 6)" y="\(middle + 4.5)" \
      text-anchor="\(fits ? "start" : "end")"\(fits ? "" : HTML(" style=\"fill: var(--paper)\""))>\(text: value)</text></g>

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
