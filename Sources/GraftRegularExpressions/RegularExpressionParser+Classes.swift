extension RegularExpressionParser {
  enum ClassItem {
    case scalar(UInt32)
    case set(ScalarSet)
  }

  /// A bracketed class after its `[`, with ranges, nested classes and `&&`.
  mutating func parseClass(ignoringCase: Bool) throws(RegularExpressionError) -> ScalarSet {
    let isNegated = skip("^")
    var result = ScalarSet()
    var isFirst = true
    while let next = peek {
      if next == "]", !isFirst {
        _ = advance()
        if ignoringCase { result = result.ignoringCase }
        return isNegated ? result.inverted : result
      }
      isFirst = false
      if flavour == .oniguruma, skip("&&") {
        let rest = try parseIntersected()
        result = result.intersection(rest)
        continue
      }
      switch try parseClassItem(ignoringCase: ignoringCase) {
      case .set(let set): result = result.union(set)
      case .scalar(let first): result = result.union(try parseRange(from: first))
      }
    }
    throw error("a missing ]")
  }

  /// Returns the set behind `&&` up to the closing bracket, which stays.
  private mutating func parseIntersected() throws(RegularExpressionError) -> ScalarSet {
    var result = ScalarSet()
    while let next = peek, next != "]" {
      if skip("&&") { return result.intersection(try parseIntersected()) }
      switch try parseClassItem(ignoringCase: false) {
      case .set(let set): result = result.union(set)
      case .scalar(let first): result = result.union(try parseRange(from: first))
      }
    }
    return result
  }

  private mutating func parseRange(from first: UInt32) throws(RegularExpressionError) -> ScalarSet {
    var ahead = self
    guard ahead.skip("-"), let next = ahead.peek, next != "]" else { return ScalarSet(first) }
    guard next != "[" || flavour == .python, case .scalar(let last) = try ahead.parseClassItem(ignoringCase: false) else {
      return ScalarSet(first)
    }
    guard first <= last else { throw error("a range with its ends reversed") }
    self = ahead
    return ScalarSet(ranges: [first...last])
  }

  private mutating func parseClassItem(ignoringCase: Bool) throws(RegularExpressionError) -> ClassItem {
    guard let next = advance() else { throw error("a missing ]") }
    if next == "[", flavour == .oniguruma {
      if skip(":") { return .set(try parsePosixClass()) }
      return .set(try parseClass(ignoringCase: ignoringCase))
    }
    if next == "\\" {
      if skip("b") { return .scalar(0x08) }
      return try parseClassEscape()
    }
    return .scalar(next.value)
  }

  private mutating func parsePosixClass() throws(RegularExpressionError) -> ScalarSet {
    let isNegated = skip("^")
    var name = ""
    while let next = peek, next != ":" {
      name.unicodeScalars.append(next)
      _ = advance()
    }
    guard skip(":]") else { throw error("an unfinished [: :]") }
    let set = try property(named: name)
    return isNegated ? set.inverted : set
  }

  /// An escape that stands for a scalar or a set of scalars, after its backslash.
  mutating func parseClassEscape() throws(RegularExpressionError) -> ClassItem {
    guard let next = advance() else { throw error("a backslash at the end") }
    if flavour == .python, next.isASCII, next.properties.isAlphabetic, !"dDsSwWtnvfraxu".unicodeScalars.contains(next) {
      throw error("a bad escape \\\(next)")
    }
    switch next {
    case "d": return .set(.digit)
    case "D": return .set(ScalarSet.digit.inverted)
    case "s": return .set(.whiteSpace)
    case "S": return .set(ScalarSet.whiteSpace.inverted)
    case "w": return .set(.word)
    case "W": return .set(ScalarSet.word.inverted)
    case "h": return .set(.hexDigit)
    case "H": return .set(ScalarSet.hexDigit.inverted)
    case "p": return .set(try parseProperty(isNegated: false))
    case "P": return .set(try parseProperty(isNegated: true))
    case "t": return .scalar(0x09)
    case "n": return .scalar(0x0A)
    case "v": return .scalar(0x0B)
    case "f": return .scalar(0x0C)
    case "r": return .scalar(0x0D)
    case "a": return .scalar(0x07)
    case "e": return .scalar(0x1B)
    case "0": return .scalar(0)
    case "x": return .scalar(try parseHex(count: 2))
    case "u": return .scalar(try parseHex(count: 4))
    default: return .scalar(next.value)
    }
  }

  /// `\x41`, `\x{1F600}` or `\u0041`, after the letter.
  private mutating func parseHex(count: Int) throws(RegularExpressionError) -> UInt32 {
    let isBraced = skip("{")
    var digits = ""
    while let next = peek, next.properties.isASCIIHexDigit, digits.count < (isBraced ? 8 : count) {
      digits.unicodeScalars.append(next)
      _ = advance()
    }
    if isBraced, !skip("}") { throw error("an unfinished \\x{ }") }
    guard let value = UInt32(digits, radix: 16), value <= ScalarSet.largest else { throw error("a wrong code point") }
    return value
  }

  /// `{L}`, `{^L}` or the one-letter form `L`, after `\p`.
  private mutating func parseProperty(isNegated: Bool) throws(RegularExpressionError) -> ScalarSet {
    var isNegated = isNegated
    var name = ""
    if skip("{") {
      if skip("^") { isNegated.toggle() }
      while let next = advance(), next != "}" { name.unicodeScalars.append(next) }
    } else if let next = advance() {
      name.unicodeScalars.append(next)
    }
    let set = try property(named: name)
    return isNegated ? set.inverted : set
  }

  private func property(named name: String) throws(RegularExpressionError) -> ScalarSet {
    let invisible = ScalarClass.mask(.control, .surrogate, .unassigned)
    let key = name.lowercased().filter { $0 != "_" && $0 != " " && $0 != "-" }
    if let categories = Self.categories[key] { return ScalarSet(categories: categories) }
    switch key {
    case "any": return .any
    case "ascii": return ScalarSet(ranges: [0...0x7F])
    case "alpha", "alphabetic": return .alphabetic
    case "alnum": return ScalarSet.alphabetic.union(.digit)
    case "digit": return .digit
    case "xdigit": return .hexDigit
    case "space", "whitespace": return .whiteSpace
    case "word": return .word
    case "blank": return ScalarSet(ranges: [0x09...0x09], categories: ScalarClass.mask(.spaceSeparator))
    case "cntrl": return ScalarSet(categories: ScalarClass.mask(.control))
    case "lower", "lowercase": return .lowercase
    case "upper", "uppercase": return .uppercase
    case "punct": return ScalarSet(categories: ScalarClass.punctuation | ScalarClass.symbol)
    case "graph": return ScalarSet(categories: invisible | ScalarClass.separator).inverted
    case "print": return ScalarSet(categories: invisible).union(ScalarSet(ranges: [0x2028...0x2029])).inverted
    default:
      if let script = Script.ranges[key] { return ScalarSet(ranges: script) }
      throw error("unsupported property \\p{\(name)}")
    }
  }

  private static let categories: [String: ScalarClass.Categories] = {
    var table: [String: ScalarClass.Categories] = [:]
    let names = [
      "lu", "ll", "lt", "lm", "lo", "mn", "mc", "me", "nd", "nl", "no", "pc", "pd", "ps", "pe", "pi", "pf", "po", "sm",
      "sc", "sk", "so", "zs", "zl", "zp", "cc", "cf", "cs", "co", "cn",
    ]
    for (index, name) in names.enumerated() { table[name] = 1 << ScalarClass.Categories(index) }
    for (names, mask) in [
      (["l", "letter"], ScalarClass.letter), (["m", "mark"], ScalarClass.mark), (["n", "number"], ScalarClass.number),
      (["p", "punctuation"], ScalarClass.punctuation), (["s", "symbol"], ScalarClass.symbol),
      (["z", "separator"], ScalarClass.separator), (["c", "other"], ScalarClass.other),
    ] {
      for name in names { table[name] = mask }
    }
    return table
  }()
}
