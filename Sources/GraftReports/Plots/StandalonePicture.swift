import Foundation

/// A plot taken out of a page, as an SVG file that needs nothing else: on white, in plain colours, which programs for slides and for paper read.
package struct StandalonePicture: Sendable {
  /// The name of its file, without an extension.
  package let name: String
  /// The text of the SVG file.
  package let svg: String

  /// - Parameter name: of its file, without an extension.
  /// - Returns: nil where there is nothing to draw.
  package init?(_ plot: any Plot, name: String) {
    guard let markup = plot.figure(isSpanning: plot.legend.count > 1)?.description, let role = markup.range(of: "role=\"img\""),
      let start = markup.range(of: "<svg ", options: .backwards, range: markup.startIndex..<role.lowerBound),
      let end = markup.range(of: "</svg>", range: role.upperBound..<markup.endIndex)
    else { return nil }
    let picture = String(markup[start.lowerBound..<end.lowerBound])
    guard let numbers = picture.firstMatch(of: /viewBox="0 0 ([0-9.]+) ([0-9.]+)"/), let width = Double(numbers.1), let height = Double(numbers.2),
      let tagEnd = picture.firstIndex(of: ">")
    else { return nil }
    let legend = plot.legend.count > 1 ? plot.legend : []
    let top = 26.0
    let whole = height + top + Double(legend.count) * 18 + (legend.isEmpty ? 0 : 8)
    let names = legend.enumerated().map { Self.entry(index: $0, name: $1, y: height + 12 + Double($0) * 18) }
    let frame: HTML = """
      <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 \(-top) \(width) \(whole)" width="\(width)" height="\(whole)" role="img" \
      aria-label="\(text: plot.title)"><rect class="paper" x="0" y="\(-top)" width="\(width)" height="\(whole)"/>\
      <text class="title" x="4" y="-8">\(text: plot.title)</text>\(names)
      """
    let body = picture[picture.index(after: tagEnd)...]
    self.name = name
    svg = Self.inPlainColours("\(frame.description)\(body)<style>\n\(Self.style)\n</style></svg>\n")
  }

  private static func entry(index: Int, name: String, y: Double) -> HTML {
    "<path class=\"\(PlotMark.curve(index))\" d=\"M8 \(y)H36\"/><text class=\"name\" x=\"44\" y=\"\(y + 4.5)\">\(text: name)</text>"
  }

  /// The rules of the page's style that are about pictures, with the sign of what is set large.
  private static let style =
    HTMLPage.style.split(separator: "\n").map { $0.trimmingCharacters(in: .whitespaces) }.prefix { !$0.hasPrefix("@media (max-width") }.filter {
      line in
      [".grid", ".series", ".band", ".faint", ".marker", ".bar", ".leader", ".whisker", ".expected", ".s0", ".s3", ".d1"].contains {
        line.hasPrefix($0)
      }
    }.joined(separator: "\n")
    + "\ntext { fill: var(--quiet); font-family: \"Noto Sans\", \"DejaVu Sans\", \"Helvetica Neue\", Arial, sans-serif; font-size: 13px; }\n"
    + ".name { fill: var(--ink); } .title { fill: var(--ink); font-size: 15px; font-weight: 600; } .paper { fill: var(--paper); }"

  /// Variables of a style are known to browsers alone.
  private static func inPlainColours(_ svg: String) -> String {
    let light = HTMLPage.style.prefix { $0 != "}" }
    return light.matches(of: /(--[a-z0-9-]+): (#[0-9a-f]+)/).reduce(svg) { text, variable in
      text.replacingOccurrences(of: "var(\(variable.output.1))", with: String(variable.output.2))
    }
  }
}
