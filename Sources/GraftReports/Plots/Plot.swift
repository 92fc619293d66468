/// A plot of a page.
package protocol Plot: Sendable {
  var title: String { get }
  /// The names of its series, in the order of their signs; none where they stand in the picture.
  var legend: [String] { get }

  /// The plot with its title; nil when there is nothing to draw.
  /// - Parameter isSpanning: true where it has the whole width of the page instead of sharing it.
  func figure(isSpanning: Bool) -> HTML?
}

extension Plot {
  package var legend: [String] { [] }
  /// The plot as one of several beside one another; nil when there is nothing to draw.
  package var html: HTML? { figure(isSpanning: false) }
}

/// The frame of a plot on a page: its title above one picture, or above one for wide and one for narrow pages.
enum PlotFigure {
  /// - Parameters:
  ///   - remark: a word behind the title.
  ///   - legend: the signs of series with their names.
  static func html(title: String, remark: String = "", legend: HTML = "", pictures: [HTML]) -> HTML {
    let small: HTML = remark.isEmpty ? "" : "<span class=\"remark\">\(text: remark)</span>"
    return """
      <figure class="plot\(pictures.count > 1 ? " spanning" : "")">
      <figcaption><span>\(text: title)</span>\(small)\(legend)</figcaption>
      \(pictures)</figure>

      """
  }
}

extension HTML {
  /// Plots two by two where there is room; of an odd number the first has a row for itself, so that no place stays empty.
  package static func plotGrid(_ plots: [any Plot]) -> HTML {
    let drawn = plots.filter { $0.html != nil }
    guard !drawn.isEmpty else { return "" }
    let figures = drawn.enumerated().compactMap { index, plot in plot.figure(isSpanning: index == 0 && drawn.count % 2 == 1) }
    return "<div class=\"plots\">\n\(figures)</div>"
  }
}
