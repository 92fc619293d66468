/// A recursive-descent parser over bytes; every read is checked against the end.
struct JSONParser {
  private let bytes: UnsafePointer<UInt8>
  private let count: Int
  private let options: JSONParsingOptions
  private var position = 0
  private var depth = 0

  init(_ buffer: UnsafeRawBufferPointer, _ options: JSONParsingOptions) {
    let typed = buffer.bindMemory(to: UInt8.self)
    bytes = typed.baseAddress ?? UnsafePointer(bitPattern: 1).unsafelyUnwrapped
    count = buffer.count
    self.options = options
  }

  mutating func parseDocument() throws(JSONError) -> JSON {
    if count >= 3, bytes[0] == 0xEF, bytes[1] == 0xBB, bytes[2] == 0xBF {
      throw error("a byte order mark; save the file as UTF-8 without one")
    }
    let value = try parseValue()
    skipWhiteSpace()
    guard position == count else { throw error("unexpected text after the end of the document") }
    return value
  }

  // MARK: Values

  private mutating func parseValue() throws(JSONError) -> JSON {
    skipWhiteSpace()
    guard position < count else { throw error("unexpected end of the document") }
    switch bytes[position] {
    case Ascii.quote: return .string(try parseString())
    case Ascii.openBrace: return try parseObject()
    case Ascii.openBracket: return try parseArray()
    case Ascii.minus, Ascii.zero...Ascii.nine: return try parseNumber()
    case UInt8(ascii: "t") where take("true"): return .bool(true)
    case UInt8(ascii: "f") where take("false"): return .bool(false)
    case UInt8(ascii: "n") where take("null"): return .null
    case UInt8(ascii: "N") where options.allowsNonFiniteNumbers && take("NaN"): return .number(.nan)
    case UInt8(ascii: "I") where options.allowsNonFiniteNumbers && take("Infinity"): return .number(.infinity)
    default: throw error("expected a value, found \(describeByte())")
    }
  }

  private mutating func parseArray() throws(JSONError) -> JSON {
    try descend()
    var elements: [JSON] = []
    skipWhiteSpace()
    if peek() == Ascii.closeBracket {
      ascend()
      return .array(elements)
    }
    while true {
      elements.append(try parseValue())
      skipWhiteSpace()
      switch peek() {
      case Ascii.comma: position += 1
      case Ascii.closeBracket:
        ascend()
        return .array(elements)
      default: throw error("expected ',' or ']' in an array, found \(describeByte())")
      }
    }
  }

  private mutating func parseObject() throws(JSONError) -> JSON {
    try descend()
    var members = JSONObject()
    skipWhiteSpace()
    if peek() == Ascii.closeBrace {
      ascend()
      return .object(members)
    }
    while true {
      skipWhiteSpace()
      let keyPosition = position
      guard peek() == Ascii.quote else { throw error("expected a key in double quotes, found \(describeByte())") }
      let key = try parseString()
      skipWhiteSpace()
      guard peek() == Ascii.colon else { throw error("expected ':' after a key, found \(describeByte())") }
      position += 1
      let value = try parseValue()
      if !members.insert(key, value) {
        guard options.allowsDuplicateKeys else { throw error("duplicate key \"\(key)\"", at: keyPosition) }
        members[key] = value
      }
      skipWhiteSpace()
      switch peek() {
      case Ascii.comma: position += 1
      case Ascii.closeBrace:
        ascend()
        return .object(members)
      default: throw error("expected ',' or '}' in an object, found \(describeByte())")
      }
    }
  }

  private mutating func descend() throws(JSONError) {
    depth += 1
    guard depth <= options.maximumDepth else {
      throw error("nested deeper than \(options.maximumDepth) levels")
    }
    position += 1
  }

  private mutating func ascend() {
    depth -= 1
    position += 1
  }

  // MARK: Strings

  private mutating func parseString() throws(JSONError) -> String {
    position += 1
    let start = position
    var unescaped: [UInt8]?
    var runStart = position
    while position < count {
      let byte = bytes[position]
      if byte == Ascii.quote {
        let run = UnsafeBufferPointer(start: bytes + runStart, count: position - runStart)
        let text: String?
        if var content = unescaped {
          content.append(contentsOf: run)
          text = String(validating: content, as: UTF8.self)
        } else {
          text = String(validating: run, as: UTF8.self)
        }
        guard let text else { throw error("a string that is not valid UTF-8", at: start - 1) }
        position += 1
        return text
      } else if byte == Ascii.backslash {
        var content = unescaped ?? []
        unescaped = nil  // keeps `content` unshared
        content.append(contentsOf: UnsafeBufferPointer(start: bytes + runStart, count: position - runStart))
        try parseEscape(into: &content)
        unescaped = content
        runStart = position
      } else if byte < 0x20 {
        throw error("a control character in a string; write it as an escape such as \\n")
      } else {
        position += 1
      }
    }
    throw error("a string that does not end", at: start - 1)
  }

  private mutating func parseEscape(into content: inout [UInt8]) throws(JSONError) {
    let start = position
    position += 1
    let escape = peek()
    position += 1
    switch escape {
    case Ascii.quote, Ascii.backslash, UInt8(ascii: "/"): content.append(escape)
    case UInt8(ascii: "b"): content.append(0x08)
    case UInt8(ascii: "f"): content.append(0x0C)
    case UInt8(ascii: "n"): content.append(0x0A)
    case UInt8(ascii: "r"): content.append(0x0D)
    case UInt8(ascii: "t"): content.append(0x09)
    case UInt8(ascii: "u"): content.append(contentsOf: Array(String(try parseScalar(from: start)).utf8))
    default: throw error("an unknown escape in a string", at: start)
    }
  }

  private mutating func parseScalar(from start: Int) throws(JSONError) -> Unicode.Scalar {
    let first = try parseFourHexDigits(from: start)
    if let scalar = Unicode.Scalar(first) { return scalar }
    if first < 0xDC00, position + 1 < count, bytes[position] == Ascii.backslash,
      bytes[position + 1] == UInt8(ascii: "u")
    {
      position += 2
      let second = try parseFourHexDigits(from: start)
      if (0xDC00...0xDFFF).contains(second),
        let scalar = Unicode.Scalar(0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00))
      {
        return scalar
      }
    }
    throw error("half of a surrogate pair in a string", at: start)
  }

  private mutating func parseFourHexDigits(from start: Int) throws(JSONError) -> UInt32 {
    var value: UInt32 = 0
    for _ in 0..<4 {
      let digit: UInt8
      switch peek() {
      case let byte where byte >= Ascii.zero && byte <= Ascii.nine: digit = byte - Ascii.zero
      case let byte where byte >= UInt8(ascii: "a") && byte <= UInt8(ascii: "f"): digit = byte - UInt8(ascii: "a") + 10
      case let byte where byte >= UInt8(ascii: "A") && byte <= UInt8(ascii: "F"): digit = byte - UInt8(ascii: "A") + 10
      default: throw error("\\u needs four hexadecimal digits", at: start)
      }
      value = value << 4 | UInt32(digit)
      position += 1
    }
    return value
  }

  // MARK: Numbers

  private mutating func parseNumber() throws(JSONError) -> JSON {
    let start = position
    let isNegative = peek() == Ascii.minus
    if isNegative {
      position += 1
      if options.allowsNonFiniteNumbers, take("Infinity") { return .number(-.infinity) }
    }
    var decimal = Decimal()
    if peek() == Ascii.zero {
      position += 1
    } else {
      guard takeDigits(into: &decimal) else { throw error("expected a digit, found \(describeByte())") }
    }
    var isInteger = true
    if peek() == UInt8(ascii: ".") {
      isInteger = false
      position += 1
      let digitsStart = position
      guard takeDigits(into: &decimal) else { throw error("expected a digit after '.', found \(describeByte())") }
      decimal.exponent = digitsStart - position
    }
    if peek() == UInt8(ascii: "e") || peek() == UInt8(ascii: "E") {
      isInteger = false
      position += 1
      let isExponentNegative = peek() == Ascii.minus
      if isExponentNegative || peek() == UInt8(ascii: "+") { position += 1 }
      var exponent = Decimal()
      guard takeDigits(into: &exponent) else { throw error("expected a digit in an exponent, found \(describeByte())") }
      let magnitude = exponent.isExact ? Int(clamping: exponent.mantissa) : .max / 2
      decimal.exponent += isExponentNegative ? -min(magnitude, .max / 4) : min(magnitude, .max / 4)
    }
    if isInteger, decimal.isExact, decimal.mantissa <= UInt64(Int.max), !(isNegative && decimal.mantissa == 0) {
      return .integer(isNegative ? -Int(decimal.mantissa) : Int(decimal.mantissa))
    }
    if isInteger, isNegative, decimal.isExact, decimal.mantissa == UInt64(Int.max) + 1 { return .integer(.min) }
    if let magnitude = decimal.exactDouble { return .number(isNegative ? -magnitude : magnitude) }
    let text = UnsafeBufferPointer(start: bytes + start, count: position - start)
    guard let value = Double(String(decoding: text, as: UTF8.self)), value.isFinite else {
      throw error("a number too large for double precision", at: start)
    }
    return .number(value)
  }

  /// Reads digits up to the first other byte; answers whether there was one.
  private mutating func takeDigits(into decimal: inout Decimal) -> Bool {
    let start = position
    while position < count, bytes[position] >= Ascii.zero, bytes[position] <= Ascii.nine {
      decimal.append(UInt64(bytes[position] - Ascii.zero))
      position += 1
    }
    return position > start
  }

  // MARK: Bytes

  /// The byte at the position, 0 at the end (which no token begins with).
  private func peek() -> UInt8 { position < count ? bytes[position] : 0 }

  private mutating func skipWhiteSpace() {
    while position < count, bytes[position] <= 0x20 {
      switch bytes[position] {
      case 0x20, 0x0A, 0x0D, 0x09: position += 1
      default: return
      }
    }
  }

  private mutating func take(_ word: StaticString) -> Bool {
    guard count - position >= word.utf8CodeUnitCount else { return false }
    for index in 0..<word.utf8CodeUnitCount where bytes[position + index] != word.utf8Start[index] { return false }
    position += word.utf8CodeUnitCount
    return true
  }

  private func describeByte() -> String {
    guard position < count else { return "the end of the document" }
    let byte = bytes[position]
    return (0x21...0x7E).contains(byte)
      ? "'\(Unicode.Scalar(byte))'" : "byte 0x" + String(byte, radix: 16, uppercase: true)
  }

  private func error(_ message: String, at offset: Int? = nil) -> JSONError {
    var line = 1
    var column = 1
    for index in 0..<min(offset ?? position, count) {
      if bytes[index] == 0x0A {
        line += 1
        column = 1
      } else if bytes[index] & 0xC0 != 0x80 {
        column += 1
      }
    }
    return JSONError(message: message, line: line, column: column)
  }
}

/// Decimal digits on the way to a number.
private struct Decimal {
  var mantissa: UInt64 = 0
  var exponent = 0
  /// True where `mantissa` holds every digit read.
  var isExact = true

  mutating func append(_ digit: UInt64) {
    let (product, overflow) = mantissa.multipliedReportingOverflow(by: 10)
    let (sum, carry) = product.addingReportingOverflow(digit)
    isExact = isExact && !overflow && !carry
    mantissa = sum
  }

  /// The correctly rounded value where one multiplication or division by an exact power of ten gives it
  /// (Clinger 1990, "How to Read Floating Point Numbers Accurately"), otherwise `nil`.
  var exactDouble: Double? {
    guard isExact, mantissa <= 1 << 53, exponent >= -22, exponent <= 22 else { return nil }
    let power = Self.powersOfTen[abs(exponent)]
    return exponent < 0 ? Double(mantissa) / power : Double(mantissa) * power
  }

  private static let powersOfTen: [Double] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11,
    1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
  ]
}

private enum Ascii {
  static let quote = UInt8(ascii: "\"")
  static let backslash = UInt8(ascii: "\\")
  static let openBrace = UInt8(ascii: "{")
  static let closeBrace = UInt8(ascii: "}")
  static let openBracket = UInt8(ascii: "[")
  static let closeBracket = UInt8(ascii: "]")
  static let comma = UInt8(ascii: ",")
  static let colon = UInt8(ascii: ":")
  static let minus = UInt8(ascii: "-")
  static let zero = UInt8(ascii: "0")
  static let nine = UInt8(ascii: "9")
}
