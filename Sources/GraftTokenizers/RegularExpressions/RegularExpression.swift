/// A pattern that splits or rewrites text, with the meaning that Oniguruma gives it.
struct RegularExpression: Sendable {
  private let program: RegularExpressionProgram
  /// The fewest scalars of a match.
  let minimumLength: Int

  init(_ pattern: String) throws(RegularExpressionError) {
    let syntax = try RegularExpressionParser.parse(pattern)
    minimumLength = syntax.minimumLength
    program = try RegularExpressionProgram(syntax)
  }

  /// A pattern that matches exactly `text`.
  init(literal text: String) throws(RegularExpressionError) {
    minimumLength = text.unicodeScalars.count
    program = try RegularExpressionProgram(
      .sequence(text.unicodeScalars.map { .scalar(ScalarSet($0.value)) }))
  }

  /// Calls `body` with every match, from left to right. An empty match right behind another match does not count.
  func forEachMatch(in text: UnsafeBufferPointer<UInt8>, _ body: (Range<Int>) -> Void) {
    let anyStart = program.starts.isAll
    let starts = program.starts
    RegularExpressionMatcher.with(program, on: text) { matcher in
      var start = 0
      var lastEnd = -1
      while start <= text.count {
        if !anyStart {
          while start < text.count, !starts.contains(text[start]) { start += 1 }
          if start == text.count { break }
          if text[start] & 0xC0 == 0x80 {
            start += 1
            continue
          }
        }
        if let end = matcher.matchEnd(from: start), end > start || start != lastEnd {
          body(start..<end)
          lastEnd = end
          if end > start {
            start = end
            continue
          }
        }
        start += start < text.count ? scalarLength(text[start]) : 1
      }
    }
  }
}
