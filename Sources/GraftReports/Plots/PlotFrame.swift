/// The axes of a plot, its grid and its labels.
struct PlotFrame {
  let width: Double
  let height: Double
  let x: PlotScale
  let y: PlotScale
  let left: Double
  let right: Double
  let top = 10.0
  let bottom: Double

  init(width: Double, height: Double, x: PlotScale, y: PlotScale, xLabel: String, left: Double? = nil) {
    self.width = width
    self.height = height
    self.x = x
    self.y = y
    let widest = y.tickLabels.map(\.count).max() ?? 1
    self.left = left ?? Double(widest) * 7.5 + 10
    // The last label of the x axis reaches half its width over the end of the axis.
    right = width - max(14, Double(x.tickLabels.last?.count ?? 1) * 4.5 + 2)
    bottom = height - (xLabel.isEmpty ? 24 : 40)
    self.xLabel = xLabel
  }

  private let xLabel: String

  func x(_ value: Double) -> Double { left + x.position(of: value) * (right - left) }
  func y(_ value: Double) -> Double { bottom - y.position(of: value) * (bottom - top) }

  /// The vertical grid lines with their labels, and the name of the axis.
  var horizontalAxis: HTML {
    let labels = x.tickLabels
    let room = (right - left) / Double(max(labels.map { $0.count }.max() ?? 1, 1) * 8 + 10)
    let stride = max(1, Int((Double(labels.count) / max(room, 1)).rounded(.up)))
    let ticks = x.ticks.enumerated().filter { $0.offset % stride == 0 }.map { index, value in
      HTML("<text x=\"\(x(value))\" y=\"\(bottom + 18)\" text-anchor=\"middle\">\(text: labels[index])</text>")
    }
    let name: HTML =
      xLabel.isEmpty
      ? "" : "<text x=\"\((left + right) / 2)\" y=\"\(height - 4)\" text-anchor=\"middle\">\(text: xLabel)</text>"
    return "\(ticks)\(name)"
  }

  /// The horizontal grid lines with their labels.
  var verticalAxis: HTML {
    let labels = y.tickLabels
    let ticks = y.ticks.enumerated().map { index, value in
      HTML(
        """
        <line class="grid" x1="\(left)" x2="\(right)" y1="\(y(value))" y2="\(y(value))"/>\
        <text x="\(left - 6)" y="\(y(value) + 4.5)" text-anchor="end">\(text: labels[index])</text>
        """)
    }
    return "\(ticks)"
  }

  /// The interval of a value that stands above a place of the x axis, as a line with ends.
  func whisker(_ interval: ClosedRange<Double>, at place: Double) -> HTML {
    let (low, high) = (y(interval.lowerBound), y(interval.upperBound))
    return "<path class=\"whisker\" d=\"M\(place - 3) \(high)h6M\(place) \(high)V\(low)M\(place - 3) \(low)h6\"/>"
  }

  /// The vertical lines of the grid.
  var verticalGrid: HTML {
    let lines = x.ticks.map { HTML("<line class=\"grid\" x1=\"\(x($0))\" x2=\"\(x($0))\" y1=\"\(top)\" y2=\"\(bottom)\"/>") }
    return "\(lines)"
  }

  /// The plot as a picture with a description for those who do not see it.
  func svg(_ content: HTML, description: String, class name: String = "") -> HTML {
    """
    <svg viewBox="0 0 \(width) \(height)" role="img" aria-label="\(text: description)" class="\(text: name)">\
    \(content)</svg>

    """
  }
}

/// The sign of a series: its colour, and a shape for those who do not see colours.
enum PlotMark {
  static let colorCount = 6

  /// The classes of a curve. Where colours begin again the dashes are others.
  static func curve(_ series: Int) -> HTML { "series s\(series % colorCount) d\((series + series / colorCount) % colorCount)" }

  static func marker(_ series: Int, x: Double, y: Double, size: Double = 4.5, title: String) -> HTML {
    let shape: HTML =
      switch series % 4 {
      case 0: "<circle cx=\"\(x)\" cy=\"\(y)\" r=\"\(size)\"/>"
      case 1: "<rect x=\"\(x - size)\" y=\"\(y - size)\" width=\"\(2 * size)\" height=\"\(2 * size)\"/>"
      case 2: "<path d=\"M\(x) \(y - 1.3 * size)L\(x + 1.2 * size) \(y + size)H\(x - 1.2 * size)Z\"/>"
      default:
        "<path d=\"M\(x) \(y - 1.4 * size)L\(x + 1.4 * size) \(y)L\(x) \(y + 1.4 * size)L\(x - 1.4 * size) \(y)Z\"/>"
      }
    return "<g class=\"marker s\(series % colorCount)\"><title>\(text: title)</title>\(shape)</g>"
  }
}
