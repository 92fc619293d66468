import GraftJSON

extension ScalarValue {
  /// The meaning of unquoted text under YAML 1.2's core schema, and, as people write it, `1e-4` for a number.
  public init(plain text: String) {
    switch text {
    case "", "~", "null", "Null", "NULL": self = .null
    case "true", "True", "TRUE": self = .bool(true)
    case "false", "False", "FALSE": self = .bool(false)
    case ".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF": self = .number(.infinity)
    case "-.inf", "-.Inf", "-.INF": self = .number(-.infinity)
    case ".nan", ".NaN", ".NAN": self = .number(.nan)
    default:
      if let integer = Self.integer(text) {
        self = .integer(integer)
      } else if Self.looksNumeric(text), let number = Double(text) {
        self = .number(number)
      } else {
        self = .string(text)
      }
    }
  }

  /// The words of error messages for a value of this kind.
  var kindDescription: String {
    switch self {
    case .null: "nothing"
    case .bool(let value): "\(value)"
    case .integer(let value): "the number \(value)"
    case .number(let value): "the number \(value)"
    case .string(let value): "the text '\(value)'"
    }
  }

  private static func integer(_ text: String) -> Int? {
    if text.hasPrefix("0x") { return Int(text.dropFirst(2), radix: 16) }
    if text.hasPrefix("0o") { return Int(text.dropFirst(2), radix: 8) }
    return Int(text)
  }

  /// True where the text is made as a decimal number is, so that `Double` does not take "nan", "infinity" or "0x1p3" for one.
  private static func looksNumeric(_ text: String) -> Bool {
    text.utf8.contains { UInt8(ascii: "0") <= $0 && $0 <= UInt8(ascii: "9") }
      && text.utf8.allSatisfy { "0123456789+-.eE".utf8.contains($0) }
  }
}
