/// The columns of a small histogram, one for each of many things of the same kind, over the value that all would have if they were equal.
package struct HistogramPlot: Plot {
  package var title: String
  /// One for each thing, from 0 on.
  package var values: [Double]
  /// The value that all would have.
  package var expected: Double
  /// The end of the vertical axis, which plots beside one another share.
  package var largest: Double
  /// The word for one of the things, such as `expert`.
  package var entryName: String
  /// The words behind a value in per cent, such as `of the rows`.
  package var valueName: String

  package init(title: String, values: [Double], expected: Double, largest: Double, entryName: String, valueName: String) {
    self.title = title
    self.values = values
    self.expected = expected
    self.largest = largest
    self.entryName = entryName
    self.valueName = valueName
  }

  package func figure(isSpanning: Bool) -> HTML? {
    guard !values.isEmpty else { return nil }
    let frame = PlotFrame(
      width: 260, height: 130, x: PlotScale(from: 0, to: Double(values.count), ticks: Self.ticks(below: values.count)),
      y: PlotScale(holding: [100 * largest], includesZero: true, reachesTicks: true, tickCount: 3), xLabel: "")
    return """
      <figure class="plot"><figcaption><span>\(text: title)</span></figcaption>
      \(frame.svg("\(frame.verticalAxis)\(labels(frame))\(columns(frame))\(line(frame))", description: description))</figure>

      """
  }

  /// The numbers of things that are written below their columns.
  private static func ticks(below count: Int) -> [Double] {
    let step = max(1, ([1, 2, 4, 8, 16, 32, 64, 128].first { count <= 8 * $0 } ?? count / 8))
    return stride(from: 0, to: count, by: step).map(Double.init)
  }

  /// Each number stands below the middle of its column.
  private func labels(_ frame: PlotFrame) -> HTML {
    let labels = frame.x.ticks.map {
      HTML("<text x=\"\(frame.x($0 + 0.5))\" y=\"\(frame.bottom + 18)\" text-anchor=\"middle\">\(Int($0))</text>")
    }
    return "\(labels)"
  }

  /// Columns with a gap between them, as one path, where they are wide enough.
  private func columns(_ frame: PlotFrame) -> HTML {
    let width = frame.x(1) - frame.x(0)
    let gap = width > 4 ? min(3, width / 5) : 0
    let columns = values.enumerated().map { index, value in
      HTML("M\(frame.x(Double(index)) + gap / 2) \(frame.bottom)V\(frame.y(100 * value))h\(width - gap)V\(frame.bottom)Z")
    }
    return "<path class=\"bar s0\" d=\"\(columns)\"/>"
  }

  private func line(_ frame: PlotFrame) -> HTML {
    "<path class=\"expected\" d=\"M\(frame.left) \(frame.y(100 * expected))H\(frame.right)\"/>"
  }

  /// The most and the least busy things in words.
  private var description: String {
    let order = values.indices.sorted { values[$0] > values[$1] }
    guard let first = order.first, let last = order.last else { return title }
    func words(_ index: Int) -> String { "\(entryName) \(index) has \(Figure.compact(100 * values[index])) % \(valueName)" }
    return "\(title): \(words(first)), \(words(last)), \(Figure.compact(100 * expected)) % are even"
  }
}
