import GraftJSON

extension ConfigTree {
  /// The tree as YAML (which any YAML 1.1 or 1.2 reader reads back to the same values).
  public func rendered() -> String {
    switch value {
    case .mapping(let mapping) where !mapping.isEmpty: block(indent: 0)
    case .sequence where !isFlow: block(indent: 0)
    default: flow + "\n"
    }
  }

  /// Scalars, empty collections and lists of scalars stand on one line.
  private var isFlow: Bool {
    switch value {
    case .scalar: true
    case .sequence(let elements): elements.allSatisfy { $0.scalar != nil || ($0.isFlow && $0.sequence != nil) }
    case .mapping(let mapping): mapping.isEmpty
    }
  }

  private func block(indent: Int) -> String {
    let margin = String(repeating: " ", count: indent)
    switch value {
    case .mapping(let mapping):
      return mapping.entries.map { entry in
        let key = margin + ScalarValue.string(entry.key).rendered + ":"
        return entry.value.isFlow
          ? key + " " + entry.value.flow + "\n" : key + "\n" + entry.value.block(indent: indent + 2)
      }.joined()
    case .sequence(let elements):
      return elements.map { element in
        if element.isFlow { return margin + "- " + element.flow + "\n" }
        return margin + "- " + element.block(indent: indent + 2).dropFirst(indent + 2)
      }.joined()
    case .scalar:
      return margin + flow + "\n"
    }
  }

  private var flow: String {
    switch value {
    case .scalar(let scalar): scalar.rendered
    case .sequence(let elements): "[" + elements.map(\.flow).joined(separator: ", ") + "]"
    case .mapping(let mapping):
      "{" + mapping.entries.map { ScalarValue.string($0.key).rendered + ": " + $0.value.flow }.joined(separator: ", ")
        + "}"
    }
  }
}

extension ScalarValue {
  /// The scalar as YAML, quoted where plain text would mean something else.
  var rendered: String {
    switch self {
    case .null: "null"
    case .bool(let value): value ? "true" : "false"
    case .integer(let value): String(value)
    case .number(let value): Self.rendered(value)
    case .string(let text): Self.isPlain(text) ? text : Self.quoting.quoted(text)
    }
  }

  /// With a point before the exponent, without which YAML 1.1 readers take the number for text.
  private static func rendered(_ value: Double) -> String {
    if value.isNaN { return ".nan" }
    if value.isInfinite { return value < 0 ? "-.inf" : ".inf" }
    let digits = "\(value)"
    guard let exponent = digits.firstIndex(of: "e"), !digits.contains(".") else { return digits }
    return digits[..<exponent] + ".0" + digits[exponent...]
  }

  private static func isPlain(_ text: String) -> Bool {
    guard let first = text.utf8.first, let last = text.utf8.last, text.utf8.allSatisfy({ 0x20 <= $0 && $0 < 0x7F })
    else { return false }
    guard case .string = ScalarValue(plain: text) else { return false }
    let letters = UInt8(ascii: "a")...UInt8(ascii: "z")
    let startsSafely = letters.contains(first | 0x20) || "/._".utf8.contains(first)
    let meansBoolean = ["y", "yes", "n", "no", "on", "off"].contains(text.lowercased())
    let hasSyntax = text.utf8.contains { ",[]{}#&*!|>'\"%@`:\\=".utf8.contains($0) }
    return startsSafely && last != 0x20 && !meansBoolean && !hasSyntax
  }

  private static let quoting = TextQuoting(letters: ["\n": "n", "\t": "t", "\r": "r"]) { scalar in
    switch scalar.value {
    case ..<0x20, 0x7F..<0xA0, 0xFEFF, 0x2028, 0x2029: true
    default: false
    }
  } number: {
    "u" + TextQuoting.hexadecimal($0.value, width: 4, uppercase: true)
  }
}
