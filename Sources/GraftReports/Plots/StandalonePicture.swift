import Foundation

/// A plot taken out of a page, as an SVG file that needs nothing else.
package enum StandalonePicture {
  /// - Parameters:
  ///   - figure: the plot as a page shows it.
  ///   - legend: the names of its series.
  /// - Returns: nil where the figure has no picture.
  package static func svg(of figure: HTML, title: String, legend: [String] = []) -> String? {
    let markup = figure.description
    guard let role = markup.range(of: "role=\"img\""),
      let start = markup.range(of: "<svg ", options: .backwards, range: markup.startIndex..<role.lowerBound),
      let end = markup.range(of: "</svg>", range: role.upperBound..<markup.endIndex)
    else { return nil }
    var svg = String(markup[start.lowerBound..<end.lowerBound])
    let numbers = svg.firstMatch(of: /viewBox="0 0 ([0-9.]+) ([0-9.]+)"/)
    guard let numbers, let width = Double(numbers.1), let height = Double(numbers.2) else { return nil }
    let top = 26.0
    let bottom = Double(legend.count > 1 ? legend.count : 0) * 18
    svg.replaceSubrange(
      numbers.range, with: "xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 \(-top) \(width) \(height + top + bottom)\"")
    let names = legend.count > 1 ? legend.enumerated().map { entry(index: $0, name: $1, y: height + 12 + Double($0) * 18) } : []
    let heading: HTML = "<text class=\"name\" x=\"4\" y=\"-8\">\(text: title)</text>"
    return svg + "\(heading)\(names.map(\.description).joined())<style>\(HTMLPage.style)</style></svg>\n"
  }

  private static func entry(index: Int, name: String, y: Double) -> HTML {
    "<path class=\"\(PlotMark.curve(index))\" d=\"M8 \(y)H36\"/><text class=\"name\" x=\"44\" y=\"\(y + 4.5)\">\(text: name)</text>"
  }
}
