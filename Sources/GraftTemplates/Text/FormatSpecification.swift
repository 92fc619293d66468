import Foundation

/// The layout of a value: Python's `[[fill]align][sign][#][0][width][,][.precision][type]`.
struct FormatSpecification {
  var fill: Unicode.Scalar = " "
  var alignment: Unicode.Scalar?
  var sign: Unicode.Scalar?
  var isAlternate = false
  var padsWithZeros = false
  var width = 0
  var grouping: Unicode.Scalar?
  var precision: Int?
  var type: Unicode.Scalar?
  var minimumDigits = 0

  init() {}

  init(parsing text: String) throws {
    var rest = Array(text.unicodeScalars)[...]
    func isAlignment(_ scalar: Unicode.Scalar?) -> Bool { scalar.map("<>=^".unicodeScalars.contains) ?? false }
    if rest.count > 1, isAlignment(rest[rest.startIndex + 1]) {
      fill = rest[rest.startIndex]
      alignment = rest[rest.startIndex + 1]
      rest = rest.dropFirst(2)
    } else if isAlignment(rest.first) {
      alignment = rest.removeFirst()
    }
    if let first = rest.first, "+- ".unicodeScalars.contains(first) { sign = rest.removeFirst() }
    if rest.first == "#" {
      isAlternate = true
      rest.removeFirst()
    }
    if rest.first == "0" {
      padsWithZeros = alignment == nil
      rest.removeFirst()
    }
    func number() throws -> Int? {
      let digits = rest.prefix(while: \.isASCIIDigit)
      guard !digits.isEmpty else { return nil }
      rest = rest.dropFirst(digits.count)
      let value = Int(String(String.UnicodeScalarView(digits))) ?? .max
      try TemplateLimits.check(byteCount: value)
      return value
    }
    width = try number() ?? 0
    if let first = rest.first, first == "," || first == "_" { grouping = rest.removeFirst() }
    if rest.first == "." {
      rest.removeFirst()
      precision = try number()
      guard precision != nil else { throw TemplateFailure(.value, "Format specifier missing precision") }
    }
    type = rest.popFirst()
    guard rest.isEmpty else { throw TemplateFailure(.value, "Invalid format specifier '\(text)'") }
  }

  func format(_ value: TemplateValue) throws -> String {
    switch value {
    case .string(let text), .markup(let text):
      guard type == nil || type == "s" else { throw unknownType(value) }
      return padded(precision.map { String(text.unicodeScalars.prefix($0)) } ?? text)
    case .double(let number):
      guard type.map("eEfFgGn%".unicodeScalars.contains) ?? true else { throw unknownType(value) }
      return format(double: number)
    case .bool(let flag) where type == nil: return padded(flag ? "True" : "False")
    case .integer, .bool:
      let number = value.wholeNumber ?? 0
      switch type {
      case nil, "d", "n", "x", "X", "o", "b": return format(integer: number)
      case "c": return padded(UInt32(exactly: number).flatMap(Unicode.Scalar.init).map(String.init) ?? "")
      case "e", "E", "f", "F", "g", "G", "%": return format(double: Double(number))
      default: throw unknownType(value)
      }
    default:
      guard type == nil, width == 0, precision == nil else {
        throw TemplateFailure(.value, "unsupported format string passed to \(value.typeName).__format__")
      }
      return value.description
    }
  }

  private func unknownType(_ value: TemplateValue) -> TemplateFailure {
    TemplateFailure(
      .value, "Unknown format code '\(type.map(String.init) ?? "")' for object of type '\(value.typeName)'")
  }

  func format(integer: Int) -> String {
    let radix = ["x": 16, "X": 16, "o": 8, "b": 2][type.map(String.init) ?? "d"] ?? 10
    var digits = String(integer.magnitude, radix: radix, uppercase: type == "X")
    digits = String(repeating: "0", count: max(0, minimumDigits - digits.count)) + grouped(digits)
    let prefix = isAlternate && radix != 10 ? "0" + (type.map(String.init) ?? "") : ""
    return signed(digits, isNegative: integer < 0, prefix: prefix)
  }

  func format(double: Double) -> String {
    guard let type else {
      guard let precision else {
        let isNegative = double.sign == .minus && !double.isNaN
        return signed(TemplateValue.representation(of: double.magnitude), isNegative: isNegative)
      }
      let digits = String(format: "%.\(max(1, precision))g", double.magnitude)
      return signed(digits.contains { ".en".contains($0) } ? digits : digits + ".0", isNegative: double.sign == .minus)
    }
    let magnitude = type == "%" ? double.magnitude * 100 : double.magnitude
    let conversion = type == "%" ? "f" : type == "n" ? "g" : String(type)
    var digits = String(format: "%\(isAlternate ? "#" : "").\(precision ?? 6)\(conversion)", magnitude)
    if let point = digits.firstIndex(of: "."), grouping != nil {
      digits = grouped(String(digits[..<point])) + digits[point...]
    } else {
      digits = grouped(digits)
    }
    return signed(type == "%" ? digits + "%" : digits, isNegative: double.sign == .minus && !double.isNaN)
  }

  private func grouped(_ digits: String) -> String {
    guard let grouping, digits.allSatisfy(\.isHexDigit) else { return digits }
    let size = type == "x" || type == "X" || type == "o" || type == "b" ? 4 : 3
    var result = ""
    for (index, digit) in digits.enumerated() {
      if index > 0, (digits.count - index).isMultiple(of: size) { result.unicodeScalars.append(grouping) }
      result.append(digit)
    }
    return result
  }

  private func signed(_ digits: String, isNegative: Bool, prefix: String = "") -> String {
    let mark = (isNegative ? "-" : sign == "+" ? "+" : sign == " " ? " " : "") + prefix
    let missing = max(0, width - mark.unicodeScalars.count - digits.unicodeScalars.count)
    if padsWithZeros, alignment != "<" { return mark + String(repeating: "0", count: missing) + digits }
    if alignment == "=" { return mark + String(repeating: String(fill), count: missing) + digits }
    var layout = self
    if alignment == nil { layout.alignment = ">" }
    return layout.padded(mark + digits)
  }

  /// Text in the field's width, to the left unless told otherwise.
  func padded(_ text: String) -> String {
    let missing = max(0, width - text.unicodeScalars.count)
    let left = alignment == ">" ? missing : alignment == "^" ? missing / 2 : 0
    let fill = String(padsWithZeros && alignment == nil ? "0" : fill)
    return String(repeating: fill, count: left) + text + String(repeating: fill, count: missing - left)
  }
}
