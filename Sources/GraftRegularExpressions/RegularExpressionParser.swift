/// Reads the syntax of Oniguruma (Ruby's), in which `tokenizer.json` writes its patterns, and of Python's `re`, in which PEFT does.
struct RegularExpressionParser {
  private struct Flags {
    var ignoresCase = false
    var dotMatchesNewline = false
    var ignoresWhiteSpace = false
    /// True where `^` and `$` match at every line.
    var anchorsAtLines: Bool
  }

  let flavour: RegularExpressionSyntax.Flavour
  private let pattern: [Unicode.Scalar]
  private var position = 0
  private var flags: Flags
  private var depth = 0

  private static let deepest = 200
  /// Repetitions of one atom.
  private static let mostRepetitions = 20

  static func parse(
    _ pattern: String, _ flavour: RegularExpressionSyntax.Flavour
  ) throws(RegularExpressionError) -> RegularExpressionSyntax {
    var parser = RegularExpressionParser(pattern, flavour)
    let syntax = try parser.parseAlternatives()
    guard parser.peek == nil else { throw parser.error("unmatched )") }
    return syntax
  }

  private init(_ pattern: String, _ flavour: RegularExpressionSyntax.Flavour) {
    self.pattern = Array(pattern.unicodeScalars)
    self.flavour = flavour
    flags = Flags(anchorsAtLines: flavour == .oniguruma)
  }

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
    let outer = flags
    defer { flags = outer }
    var alternatives = [try parseSequence()]
    while skip("|") { alternatives.append(try parseSequence()) }
    return alternatives.count == 1 ? alternatives[0] : .alternatives(alternatives)
  }

  private mutating func parseSequence() throws(RegularExpressionError) -> RegularExpressionSyntax {
    var parts: [RegularExpressionSyntax] = []
    while let next = peek, next != "|", next != ")" {
      if flags.ignoresWhiteSpace, ScalarClass.isWhiteSpace(next.value) || next == "#" {
        skipFreeSpacing()
        continue
      }
      let outer = flags
      guard let atom = try parseAtom() else {
        // `(?i)` holds to the end of its group, alternatives included.
        let rest = try parseAlternatives()
        flags = outer
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
    for count in 0... {
      guard count <= (flavour == .python ? 1 : Self.mostRepetitions) else { throw error("a repetition of a repetition") }
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
      // In Ruby, `{n,m}+` repeats the repetition and `{n}?` makes it optional.
      let isRuby = flavour == .oniguruma
      var kind = RegularExpressionSyntax.RepetitionKind.greedy
      if isRuby && isInterval && minimum == maximum {
      } else if skip("?") {
        kind = .lazy
      } else if !(isRuby && isInterval) && skip("+") {
        kind = .possessive
      }
      result = .repetition(result, minimum: minimum, maximum: maximum, kind)
    }
    return result
  }

  /// `{n}`, `{n,}`, `{,m}` or `{n,m}`; anything else after a brace is text.
  private mutating func parseInterval() -> (Int, Int)? {
    let start = position
    guard skip("{") else { return nil }
    let minimum = parseNumber()
    var maximum = minimum
    if skip(",") { maximum = parseNumber() ?? (minimum == nil && flavour == .oniguruma ? nil : RegularExpressionSyntax.unlimited) }
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
    case "[": return .scalar(try parseClass(ignoringCase: flags.ignoresCase))
    case ".": return .scalar(flags.dotMatchesNewline ? .any : ScalarSet(0x0A).inverted)
    case "^": return .assertion(flags.anchorsAtLines ? .lineStart : .textStart)
    case "$": return .assertion(flags.anchorsAtLines ? .lineEnd : .textEndOrLastNewline)
    case "\\": return try parseEscape()
    case "*", "+", "?": throw error("nothing to repeat")
    default: return literal(next.value)
    }
  }

  private func literal(_ scalar: UInt32) -> RegularExpressionSyntax {
    .scalar(flags.ignoresCase ? ScalarSet(scalar).ignoringCase : ScalarSet(scalar))
  }

  private mutating func parseEscape() throws(RegularExpressionError) -> RegularExpressionSyntax {
    if flavour == .python, let next = peek, "zR".unicodeScalars.contains(next) { throw error("a bad escape \\\(next)") }
    switch peek {
    case "Z" where flavour == .python:
      position += 1
      return .assertion(.textEnd)
    case "A":
      position += 1
      return .assertion(.textStart)
    case "z":
      position += 1
      return .assertion(.textEnd)
    case "Z":
      position += 1
      return .assertion(.textEndOrLastNewline)
    case "b":
      position += 1
      return .assertion(.wordBoundary)
    case "B":
      position += 1
      return .assertion(.noWordBoundary)
    case "w":
      position += 1
      return .scalar(.loneWord)
    case "W":
      position += 1
      return .scalar(ScalarSet.loneWord.inverted)
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
    if skip("?<=") { return .lookBehind(try lookedBehind(), negative: false) }
    if skip("?<!") { return .lookBehind(try lookedBehind(), negative: true) }
    if skip("?#") {
      while let next = advance(), next != ")" {}
      return .empty
    }
    if skip(flavour == .python ? "?P<" : "?<") {
      while let next = advance(), next != ">" {}
      return try closing(parseAlternatives())
    }
    guard skip("?") else { return try closing(parseAlternatives()) }
    return try parseFlags()
  }

  /// Returns the body of a look-behind. Python allows no alternatives of different lengths there.
  private mutating func lookedBehind() throws(RegularExpressionError) -> RegularExpressionSyntax {
    let body = try closing(parseAlternatives())
    guard flavour == .oniguruma || body.length != nil else { throw error("a look-behind of varying length") }
    return body
  }

  /// `i)`, `-i)` or `i:...)`, after `(?`; `nil` without a body.
  private mutating func parseFlags() throws(RegularExpressionError) -> RegularExpressionSyntax? {
    let outer = flags
    var value = true
    while let next = advance() {
      switch (next, flavour) {
      case ("-", _): value = false
      case ("i", _): flags.ignoresCase = value
      case ("x", _): flags.ignoresWhiteSpace = value
      case ("m", .oniguruma), ("s", .python): flags.dotMatchesNewline = value
      case ("m", .python): flags.anchorsAtLines = value
      case ("a", .python), ("u", .python): break
      case (")", _): return nil
      case (":", _):
        let body = try closing(parseAlternatives())
        flags = outer
        return body
      default: throw error("an unsupported group (?\(next)")
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
