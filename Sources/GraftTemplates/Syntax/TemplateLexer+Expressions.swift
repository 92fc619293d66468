extension TemplateLexer {
  private static let symbols = [
    "//", "**", "==", "!=", ">=", "<=",
    "+", "-", "/", "*", "%", "~", "[", "]", "(", ")", "{", "}", ">", "<", "=", ".", ":", "|", ",", ";",
  ]
  private static let closers: [String: String] = ["{": "}", "(": ")", "[": "]"]

  /// Reads the inside of `{{ }}` or `{% %}` and its end; `closing` is the scalar before the last brace.
  mutating func readExpression(closing: Unicode.Scalar) throws {
    var expectedClosers: [String] = []
    while position < source.count {
      if expectedClosers.isEmpty, let end = endOfExpression(closing: closing) {
        append(closing == "}" ? .variableEnd : .blockEnd)
        advance(to: end)
        return
      }
      let scalar = source[position]
      if scalar.isPythonSpace {
        advance(to: skippingSpace(from: position))
      } else if scalar.isASCIIDigit {
        try readNumber()
      } else if scalar == "_" || scalar.properties.isXIDContinue {
        try readName()
      } else if scalar == "'" || scalar == "\"" {
        try readString(quote: scalar)
      } else {
        try readSymbol(&expectedClosers)
      }
    }
    append(.end)
  }

  private func endOfExpression(closing: Unicode.Scalar) -> Int? {
    let end = String(closing) + "}"
    if matches("-" + end, at: position) { return skippingSpace(from: position + 3) }
    guard closing == "%" else { return matches(end, at: position) ? position + 2 : nil }
    if matches("+%}", at: position) { return position + 3 }
    guard matches("%}", at: position) else { return nil }
    return position + 2 < source.count && source[position + 2] == "\n" ? position + 3 : position + 2
  }

  private mutating func readName() throws {
    var end = position
    while end < source.count, source[end] == "_" || source[end].properties.isXIDContinue { end += 1 }
    guard source[position] == "_" || source[position].properties.isXIDStart else {
      throw TemplateFailure(.syntax, "Invalid character in identifier", line: line)
    }
    append(.name(text(position..<end)))
    advance(to: end)
  }

  private mutating func readSymbol(_ expectedClosers: inout [String]) throws {
    guard let symbol = Self.symbols.first(where: { matches($0, at: position) }) else {
      throw TemplateFailure(.syntax, "unexpected char '\(source[position])'", line: line)
    }
    if let closer = Self.closers[symbol] {
      expectedClosers.append(closer)
    } else if symbol == "}" || symbol == ")" || symbol == "]" {
      guard let expected = expectedClosers.popLast() else {
        throw TemplateFailure(.syntax, "unexpected '\(symbol)'", line: line)
      }
      guard expected == symbol else {
        throw TemplateFailure(.syntax, "unexpected '\(symbol)', expected '\(expected)'", line: line)
      }
    }
    append(.symbol(symbol))
    advance(to: position + symbol.unicodeScalars.count)
  }

  // MARK: Numbers

  /// The end of `digit (_? digit)*` from `index`, or `index` itself where there is no digit.
  private func endOfDigits(from index: Int, where isDigit: (Unicode.Scalar) -> Bool) -> Int {
    var end = index
    while end < source.count {
      if isDigit(source[end]) {
        end += 1
      } else if source[end] == "_", end > index, end + 1 < source.count, isDigit(source[end + 1]) {
        end += 2
      } else {
        break
      }
    }
    return end
  }

  private mutating func readNumber() throws {
    if source[position] == "0", position + 1 < source.count,
      let radix = ["b": 2, "o": 8, "x": 16][String(source[position + 1]).lowercased()]
    {
      let end = endOfDigits(from: position + 2) { Int(String($0), radix: radix) != nil }
      if end > position + 2 { return try appendInteger(position + 2..<end, end: end, radix: radix) }
    }
    let whole = endOfDigits(from: position, where: \.isASCIIDigit)
    var end = whole
    if end + 1 < source.count, source[end] == ".", source[end + 1].isASCIIDigit {
      end = endOfDigits(from: end + 1, where: \.isASCIIDigit)
    }
    if end < source.count, source[end] == "e" || source[end] == "E" {
      let digits = end + 1 + (end + 1 < source.count && (source[end + 1] == "+" || source[end + 1] == "-") ? 1 : 0)
      let exponent = endOfDigits(from: digits, where: \.isASCIIDigit)
      if exponent > digits { end = exponent }
    }
    let followsDot = position > 0 && source[position - 1] == "."
    if end > whole, !followsDot {
      append(.float(Double(text(position..<end).filter { $0 != "_" }) ?? .infinity))
      advance(to: end)
    } else if source[position] == "0" {
      let zeros = endOfDigits(from: position) { $0 == "0" }
      try appendInteger(position..<zeros, end: zeros, radix: 10)
    } else {
      try appendInteger(position..<whole, end: whole, radix: 10)
    }
  }

  private mutating func appendInteger(_ digits: Range<Int>, end: Int, radix: Int) throws {
    guard let value = Int(text(digits).filter { $0 != "_" }, radix: radix) else {
      throw TemplateFailure(.syntax, "integer \(text(digits)) does not fit 64 bits", line: line)
    }
    append(.integer(value))
    advance(to: end)
  }

  // MARK: Strings

  private static let simpleEscapes: [Unicode.Scalar: Unicode.Scalar] = [
    "\\": "\\", "'": "'", "\"": "\"", "n": "\n", "t": "\t", "r": "\r",
    "a": "\u{7}", "b": "\u{8}", "f": "\u{C}", "v": "\u{B}",
  ]

  private mutating func readString(quote: Unicode.Scalar) throws {
    var index = position + 1
    var value = String.UnicodeScalarView()
    while index < source.count, source[index] != quote {
      if source[index] == "\\", index + 1 < source.count {
        index = try readEscape(at: index + 1, into: &value)
      } else {
        value.append(source[index])
        index += 1
      }
    }
    guard index < source.count else {
      throw TemplateFailure(.syntax, "unexpected char '\(quote)'", line: line)
    }
    append(.string(String(value)))
    advance(to: index + 1)
  }

  /// Reads what follows a backslash as Python's `unicode-escape` codec does; returns where the string goes on.
  private func readEscape(at index: Int, into value: inout String.UnicodeScalarView) throws -> Int {
    let scalar = source[index]
    if scalar == "\n" { return index + 1 }
    if let simple = Self.simpleEscapes[scalar] {
      value.append(simple)
      return index + 1
    }
    if ("0"..."7").contains(scalar) {
      var end = index
      while end < min(index + 3, source.count), ("0"..."7").contains(source[end]) { end += 1 }
      value.append(Unicode.Scalar(UInt32(text(index..<end), radix: 8) ?? 0) ?? "\u{FFFD}")
      return end
    }
    if let count = (["x": 2, "u": 4, "U": 8] as [Unicode.Scalar: Int])[scalar] {
      guard var code = hexadecimal(at: index + 1, count: count) else {
        throw TemplateFailure(.syntax, "truncated \\\(scalar) escape", line: line)
      }
      var end = index + 1 + count
      if (0xD800..<0xDC00).contains(code), matches("\\u", at: end),
        let low = hexadecimal(at: end + 2, count: 4), (0xDC00..<0xE000).contains(low)
      {
        code = 0x10000 + (code - 0xD800) << 10 + (low - 0xDC00)
        end += 6
      }
      guard let escaped = Unicode.Scalar(code) else {
        throw TemplateFailure(.syntax, "illegal Unicode character in a string", line: line)
      }
      value.append(escaped)
      return end
    }
    // The codec sees other scripts as escapes already, so that a backslash before one leaves both as text.
    value.append("\\")
    if scalar.isASCII {
      value.append(scalar)
    } else {
      let digits = String(scalar.value, radix: 16)
      let (letter, width) = scalar.value < 0x100 ? ("x", 2) : scalar.value < 0x10000 ? ("u", 4) : ("U", 8)
      value.append(contentsOf: (letter + String(repeating: "0", count: width - digits.count) + digits).unicodeScalars)
    }
    return index + 1
  }

  private func hexadecimal(at index: Int, count: Int) -> UInt32? {
    guard index + count <= source.count, source[index..<index + count].allSatisfy(\.isASCIIHexadecimal) else {
      return nil
    }
    return UInt32(text(index..<index + count), radix: 16)
  }
}
