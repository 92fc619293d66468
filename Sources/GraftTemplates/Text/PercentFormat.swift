import Foundation

/// Python's `format % arguments`.
enum PercentFormat {
  static func format(_ format: String, with value: TemplateValue, escaping: Bool) throws -> String {
    var arguments: [TemplateValue] = [value]
    var mapping: TemplateDictionary?
    var mayRemain = false
    switch value {
    case .tuple(let items): arguments = items
    case .dictionary(let dictionary):
      mapping = dictionary
      mayRemain = true
    // Whatever can be subscripted counts as a mapping, of which not everything need be used.
    case .list, .range, .undefined: mayRemain = true
    default: break
    }
    var used = 0
    func next() throws -> TemplateValue {
      guard used < arguments.count else { throw TemplateFailure(.value, "not enough arguments for format string") }
      used += 1
      return arguments[used - 1]
    }
    var result = ""
    let scalars = Array(format.unicodeScalars)
    var index = 0
    while index < scalars.count {
      guard scalars[index] == "%" else {
        result.unicodeScalars.append(scalars[index])
        index += 1
        continue
      }
      index += 1
      var item: TemplateValue?
      if index < scalars.count, scalars[index] == "(" {
        guard let mapping else { throw TemplateFailure(.value, "format requires a mapping") }
        guard let close = scalars[index...].firstIndex(of: ")") else {
          throw TemplateFailure(.value, "incomplete format key")
        }
        let key = String(String.UnicodeScalarView(scalars[(index + 1)..<close]))
        guard let found = mapping[key] else { throw TemplateFailure(.value, "'\(key)'") }
        item = found
        index = close + 1
      }
      var specification = FormatSpecification()
      while index < scalars.count, "-+ #0".unicodeScalars.contains(scalars[index]) {
        switch scalars[index] {
        case "-": specification.alignment = "<"
        case "0": specification.padsWithZeros = true
        case "#": specification.isAlternate = true
        case "+": specification.sign = "+"
        default: if specification.sign != "+" { specification.sign = " " }
        }
        index += 1
      }
      specification.width = try number(scalars, &index, next) ?? 0
      if specification.width < 0 { specification.alignment = "<" }
      specification.width = abs(specification.width)
      if index < scalars.count, scalars[index] == "." {
        index += 1
        specification.precision = max(0, try number(scalars, &index, next) ?? 0)
      }
      while index < scalars.count, "hlL".unicodeScalars.contains(scalars[index]) { index += 1 }
      guard index < scalars.count else { throw TemplateFailure(.value, "incomplete format") }
      let type = scalars[index]
      index += 1
      if type == "%" {
        result += "%"
        continue
      }
      result += try convert(try item ?? next(), type, specification, escaping: escaping)
      try TemplateLimits.check(byteCount: result.utf8.count)
    }
    if used < arguments.count, !mayRemain {
      throw TemplateFailure(.value, "not all arguments converted during string formatting")
    }
    return result
  }

  private static func number(
    _ scalars: [Unicode.Scalar], _ index: inout Int, _ next: () throws -> TemplateValue
  ) throws -> Int? {
    if index < scalars.count, scalars[index] == "*" {
      index += 1
      guard let value = try next().wholeNumber else { throw TemplateFailure(.value, "* wants int") }
      try TemplateLimits.check(byteCount: abs(value))
      return value
    }
    let start = index
    while index < scalars.count, scalars[index].isASCIIDigit { index += 1 }
    guard index > start else { return nil }
    let value = Int(String(String.UnicodeScalarView(scalars[start..<index]))) ?? .max
    try TemplateLimits.check(byteCount: value)
    return value
  }

  private static func convert(
    _ value: TemplateValue, _ type: Unicode.Scalar, _ given: FormatSpecification, escaping: Bool
  ) throws -> String {
    var specification = given
    if specification.alignment == nil { specification.alignment = ">" }
    switch type {
    case "s", "r", "a":
      specification.padsWithZeros = false
      specification.sign = nil
      let text = type == "s" ? (escaping ? value.escaped : value.description) : value.representation
      return specification.padded(specification.precision.map { String(text.unicodeScalars.prefix($0)) } ?? text)
    case "c":
      specification.padsWithZeros = false
      if let code = value.wholeNumber, let scalar = UInt32(exactly: code).flatMap(Unicode.Scalar.init) {
        return specification.padded(String(scalar))
      }
      guard let text = value.text, text.unicodeScalars.count == 1 else {
        throw TemplateFailure(.value, "%c requires int or char")
      }
      return specification.padded(text)
    case "d", "i", "u", "x", "X", "o":
      if case .undefined(let reason) = value { throw reason.failure }
      guard let number = value.wholeNumber ?? (type == "d" || type == "i" || type == "u" ? value.truncated : nil) else {
        throw TemplateFailure(.value, "%\(type) format: a number is required, not \(value.typeName)")
      }
      specification.type = type == "i" || type == "u" ? "d" : type
      if let precision = specification.precision {
        specification.minimumDigits = precision
        specification.precision = nil
      }
      return specification.format(integer: number)
    case "e", "E", "f", "F", "g", "G":
      if case .undefined(let reason) = value { throw reason.failure }
      guard let number = value.number else {
        throw TemplateFailure(.value, "must be real number, not \(value.typeName)")
      }
      specification.type = type
      return specification.format(double: number)
    default: throw TemplateFailure(.value, "unsupported format character '\(type)'")
    }
  }
}

extension TemplateValue {
  /// A finite float without its fraction.
  var truncated: Int? {
    guard case .double(let value) = self else { return wholeNumber }
    return Int(exactly: value.rounded(.towardZero))
  }
}
