import GraftFiles

/// A piece of HTML, already escaped.
package struct HTML: Sendable, ExpressibleByStringInterpolation, CustomStringConvertible {
  package var description: String

  /// Text as text: what means something to HTML is escaped.
  package static func text(_ text: some CustomStringConvertible) -> HTML {
    var escaped = ""
    for scalar in text.description.unicodeScalars {
      switch scalar {
      case "&": escaped += "&amp;"
      case "<": escaped += "&lt;"
      case ">": escaped += "&gt;"
      case "\"": escaped += "&quot;"
      case "'": escaped += "&#39;"
      case _ where scalar.isUnprintable && scalar != "\n" && scalar != "\t": escaped += "\u{FFFD}"
      default: escaped.unicodeScalars.append(scalar)
      }
    }
    return HTML(markup: escaped)
  }

  init(markup: String) { description = markup }

  package init(stringLiteral value: String) { description = value }

  package init(stringInterpolation: Interpolation) { description = stringInterpolation.markup }

  /// HTML and numbers stand as they are; text has a label, `\(text: name)`, and is escaped.
  package struct Interpolation: StringInterpolationProtocol, Sendable {
    var markup = ""

    package init(literalCapacity: Int, interpolationCount: Int) { markup.reserveCapacity(literalCapacity) }
    package mutating func appendLiteral(_ literal: String) { markup += literal }
    package mutating func appendInterpolation(_ html: HTML) { markup += html.description }
    package mutating func appendInterpolation(_ pieces: [HTML]) { for piece in pieces { markup += piece.description } }
    package mutating func appendInterpolation(text: String) { markup += HTML.text(text).description }
    package mutating func appendInterpolation(_ number: Int) { markup += String(number) }
    /// A coordinate, to a tenth.
    package mutating func appendInterpolation(_ number: Double) { markup += String((number * 10).rounded() / 10) }
  }
}
