/// Python's `format % arguments`.
enum PercentFormat {
  static func format(_ format: String, with value: TemplateValue, escaping: Bool) throws -> String {
    var reader = Reader(format, Arguments(value))
    var result = ""
    while let scalar = reader.next() {
      guard scalar == "%" else {
        result.unicodeScalars.append(scalar)
        continue
      }
      let named = try reader.namedArgument()
      let specification = try reader.specification()
      guard let type = reader.next() else { throw TemplateFailure(.value, "incomplete format") }
      if type == "%" {
        result += "%"
        continue
      }
      result += try convert(try named ?? reader.arguments.next(), type, specification, escaping: escaping)
      try TemplateLimits.check(byteCount: result.utf8.count)
    }
    try reader.arguments.requireUse()
    return result
  }

  /// The values to write: those of a tuple, those of a mapping by name, or one.
  private struct Arguments {
    private let values: [TemplateValue]
    private let mapping: TemplateDictionary?
    private let mayRemain: Bool
    private var used = 0

    init(_ value: TemplateValue) {
      switch value {
      case .tuple(let items): (values, mapping, mayRemain) = (items, nil, false)
      case .dictionary(let dictionary): (values, mapping, mayRemain) = ([value], dictionary, true)
      // Whatever can be subscripted counts as a mapping, of which not everything need be used.
      case .list, .range, .undefined: (values, mapping, mayRemain) = ([value], nil, true)
      default: (values, mapping, mayRemain) = ([value], nil, false)
      }
    }

    mutating func next() throws -> TemplateValue {
      guard used < values.count else { throw TemplateFailure(.value, "not enough arguments for format string") }
      used += 1
      return values[used - 1]
    }

    func requireMapping() throws -> TemplateDictionary {
      guard let mapping else { throw TemplateFailure(.value, "format requires a mapping") }
      return mapping
    }

    func requireUse() throws {
      guard used == values.count || mayRemain else { throw TemplateFailure(.value, "not all arguments converted during string formatting") }
    }
  }

  /// Reads a format from left to right.
  private struct Reader {
    private let scalars: [Unicode.Scalar]
    private var index = 0
    var arguments: Arguments

    init(_ format: String, _ arguments: Arguments) { (scalars, self.arguments) = (Array(format.unicodeScalars), arguments) }

    private var current: Unicode.Scalar? { index < scalars.count ? scalars[index] : nil }

    mutating func next() -> Unicode.Scalar? {
      defer { index += 1 }
      return current
    }

    /// The value of a name in parentheses; nil where there is none.
    mutating func namedArgument() throws -> TemplateValue? {
      guard current == "(" else { return nil }
      let mapping = try arguments.requireMapping()
      guard let close = scalars[index...].firstIndex(of: ")") else { throw TemplateFailure(.value, "incomplete format key") }
      let key = String(String.UnicodeScalarView(scalars[(index + 1)..<close]))
      guard let found = mapping[key] else { throw TemplateFailure(.value, "'\(key)'") }
      index = close + 1
      return found
    }

    /// The flags, the width and the precision of a conversion.
    mutating func specification() throws -> FormatSpecification {
      var specification = FormatSpecification()
      while let flag = current, "-+ #0".unicodeScalars.contains(flag) {
        switch flag {
        case "-": specification.alignment = "<"
        case "0": specification.padsWithZeros = true
        case "#": specification.isAlternate = true
        case "+": specification.sign = "+"
        default: if specification.sign != "+" { specification.sign = " " }
        }
        index += 1
      }
      specification.width = try number() ?? 0
      if specification.width < 0 { specification.alignment = "<" }
      specification.width = abs(specification.width)
      if current == "." {
        index += 1
        specification.precision = max(0, try number() ?? 0)
      }
      while let length = current, "hlL".unicodeScalars.contains(length) { index += 1 }
      return specification
    }

    /// Digits, or `*` for an argument; nil for neither.
    private mutating func number() throws -> Int? {
      if current == "*" {
        index += 1
        guard let value = try arguments.next().wholeNumber else { throw TemplateFailure(.value, "* wants int") }
        try TemplateLimits.check(byteCount: abs(value))
        return value
      }
      let digits = scalars[index...].prefix { $0.isASCIIDigit }
      guard !digits.isEmpty else { return nil }
      index = digits.endIndex
      let value = Int(String(String.UnicodeScalarView(digits))) ?? .max
      try TemplateLimits.check(byteCount: value)
      return value
    }
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
