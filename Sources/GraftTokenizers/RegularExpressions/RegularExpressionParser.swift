/// Reads the syntax of Oniguruma (Ruby's), in which `tokenizer.json` writes its patterns.
struct RegularExpressionParser {
  private let pattern: [Unicode.Scalar]
  private var position = 0
  private var ignoresCase = false
  private var dotMatchesNewline = false
  private var ignoresWhiteSpace = false
  private var depth = 0

  private static let deepest = 200

  static func parse(_ pattern: String) throws(RegularExpressionError) -> RegularExpressionSyntax {
    var parser = RegularExpressionParser(pattern)
    let syntax = try parser.parseAlternatives()
    guard parser.peek == nil else { throw parser.error("unmatched )") }
    return syntax
  }

  init(_ pattern: String) { self.pattern = Array(pattern.unicodeScalars) }

  var peek: Unicode.Scalar? { position < pattern.count ? pattern[position] : nil }

  mutating func advance() -> Unicode.Scalar? {
    guard position < pattern.count else { return nil }
    defer { position += 1 }
    return pattern[position]
  }

  /// Steps over `text` if it comes next; answers whether it does.
  mutating func skip(_ text: String) -> Bool {
    let scalars = text.unicodeScalars
    guard position + scalars.count <= pattern.count,
      scalars.elementsEqual(pattern[position..<position + scalars.count])
    else { return false }
    position += scalars.count
    return true
  }

  func error(_ problem: String) -> RegularExpressionError {
    RegularExpressionError(description: "\(problem) at character \(position + 1) of the pattern")
  }

  private mutating func parseAlternatives() throws(RegularExpressionError) -> RegularExpressionSyntax {
    depth += 1
    defer { depth -= 1 }
    guard depth <= Self.deepest else { throw error("too many nested groups") }
    let flags = (ignoresCase, dotMatchesNewline, ignoresWhiteSpace)
    defer { (ignoresCase, dotMatchesNewline, ignoresWhiteSpace) = flags }
    var alternatives = [try parseSequence()]
    while skip("|") { alternatives.append(try parseSequence()) }
    return alternatives.count == 1 ? alternatives[0] : .alternatives(alternatives)
  }

  private mutating func parseSequence() throws(RegularExpressionError) -> RegularExpressionSyntax {
    var parts: [RegularExpressionSyntax] = []
    while let next = peek, next != "|", next != ")" {
      if ignoresWhiteSpace, ScalarClass.isWhiteSpace(next.value) || next == "#" {
        skipFreeSpacing()
        continue
      }
      let flags = (ignoresCase, dotMatchesNewline, ignoresWhiteSpace)
      guard let atom = try parseAtom() else {
        // `(?i)` holds to the end of its group, alternatives included.
        let rest = try parseAlternatives()
        (ignoresCase, dotMatchesNewline, ignoresWhiteSpace) = flags
        parts.append(rest)
        break
      }
      parts.append(try parseRepetitions(of: atom))
    }
    return parts.count == 1 ? parts[0] : parts.isEmpty ? .empty : .sequence(parts)
  }

  private mutating func skipFreeSpacing() {
    if advance() == "#" { while let next = advance(), next != "\n" {} }
  }

  private mutating func parseRepetitions(
    of atom: RegularExpressionSyntax
  ) throws(RegularExpressionError) -> RegularExpressionSyntax {
    var result = atom
    while true {
      var minimum = 0
      var maximum = RegularExpressionSyntax.unlimited
      var isInterval = false
      if skip("*") {
      } else if skip("+") {
        minimum = 1
      } else if skip("?") {
        maximum = 1
      } else if let interval = parseInterval() {
        (minimum, maximum) = interval
        isInterval = true
        guard minimum <= 10_000, maximum == RegularExpressionSyntax.unlimited || maximum <= 10_000 else {
          throw error("too many repetitions")
        }
        guard minimum <= maximum else { throw error("a repetition with its limits reversed") }
      } else {
        return result
      }
      // As in Ruby, `{n,m}+` repeats the repetition and `{n}?` makes it optional.
      var kind = RegularExpressionSyntax.RepetitionKind.greedy
      if isInterval && minimum == maximum {
      } else if skip("?") {
        kind = .lazy
      } else if !isInterval && skip("+") {
        kind = .possessive
      }
      result = .repetition(result, minimum: minimum, maximum: maximum, kind)
    }
  }

  /// `{n}`, `{n,}`, `{,m}` or `{n,m}`; anything else after a brace is text.
  private mutating func parseInterval() -> (Int, Int)? {
    let start = position
    guard skip("{") else { return nil }
    let minimum = parseNumber()
    var maximum = minimum
    if skip(",") { maximum = parseNumber() ?? (minimum == nil ? nil : RegularExpressionSyntax.unlimited) }
    guard let maximum, skip("}") else {
      position = start
      return nil
    }
    return (minimum ?? 0, maximum)
  }

  private mutating func parseNumber() -> Int? {
    var digits = ""
    while let next = peek, ("0"..."9").contains(next), digits.count < 9 {
      digits.unicodeScalars.append(next)
      position += 1
    }
    return Int(digits)
  }

  /// One atom; `nil` after a group that only sets flags, such as `(?i)`.
  private mutating func parseAtom() throws(RegularExpressionError) -> RegularExpressionSyntax? {
    guard let next = advance() else { return .empty }
    switch next {
    case "(": return try parseGroup()
    case "[": return .scalar(try parseClass(ignoringCase: ignoresCase))
    case ".": return .scalar(dotMatchesNewline ? .any : ScalarSet(0x0A).inverted)
    case "^": return .assertion(.lineStart)
    case "$": return .assertion(.lineEnd)
    case "\\": return try parseEscape()
    case "*", "+", "?": throw error("nothing to repeat")
    default: return literal(next.value)
    }
  }

  private func literal(_ scalar: UInt32) -> RegularExpressionSyntax {
    .scalar(ignoresCase ? ScalarSet(scalar).ignoringCase : ScalarSet(scalar))
  }

  private mutating func parseEscape() throws(RegularExpressionError) -> RegularExpressionSyntax {
    switch peek {
    case "A": position += 1; return .assertion(.textStart)
    case "z": position += 1; return .assertion(.textEnd)
    case "Z": position += 1; return .assertion(.textEndOrLastNewline)
    case "b": position += 1; return .assertion(.wordBoundary)
    case "B": position += 1; return .assertion(.noWordBoundary)
    case "w": position += 1; return .scalar(.loneWord)
    case "W": position += 1; return .scalar(ScalarSet.loneWord.inverted)
    case "R":
      position += 1
      let newlines = ScalarSet(ranges: [0x0A...0x0D, 0x85...0x85, 0x2028...0x2029])
      let pair = RegularExpressionSyntax.sequence([.scalar(ScalarSet(0x0D)), .scalar(ScalarSet(0x0A))])
      return .atomic(.alternatives([pair, .scalar(newlines)]))
    case "1", "2", "3", "4", "5", "6", "7", "8", "9", "k", "g", "K", "X", "G":
      throw error("unsupported escape \\\(peek.map(String.init) ?? "")")
    default:
      switch try parseClassEscape() {
      case .scalar(let scalar): return literal(scalar)
      case .set(let set): return .scalar(set)
      }
    }
  }

  private mutating func parseGroup() throws(RegularExpressionError) -> RegularExpressionSyntax? {
    if skip("?:") { return try closing(parseAlternatives()) }
    if skip("?=") { return .lookAhead(try closing(parseAlternatives()), negative: false) }
    if skip("?!") { return .lookAhead(try closing(parseAlternatives()), negative: true) }
    if skip("?>") { return .atomic(try closing(parseAlternatives())) }
    if skip("?<=") { return .lookBehind(try closing(parseAlternatives()), negative: false) }
    if skip("?<!") { return .lookBehind(try closing(parseAlternatives()), negative: true) }
    if skip("?#") {
      while let next = advance(), next != ")" {}
      return .empty
    }
    if skip("?<") {
      while let next = advance(), next != ">" {}
      return try closing(parseAlternatives())
    }
    guard skip("?") else { return try closing(parseAlternatives()) }
    let flags = (ignoresCase, dotMatchesNewline, ignoresWhiteSpace)
    var value = true
    while let next = advance() {
      switch next {
      case "-": value = false
      case "i": ignoresCase = value
      case "m": dotMatchesNewline = value
      case "x": ignoresWhiteSpace = value
      case ")": return nil
      case ":":
        let body = try closing(parseAlternatives())
        (ignoresCase, dotMatchesNewline, ignoresWhiteSpace) = flags
        return body
      default: throw error("unsupported group (?\(next)")
      }
    }
    throw error("an unfinished group")
  }

  private mutating func closing(
    _ body: RegularExpressionSyntax
  ) throws(RegularExpressionError) -> RegularExpressionSyntax {
    guard skip(")") else { throw error("a missing )") }
    return body
  }
}
