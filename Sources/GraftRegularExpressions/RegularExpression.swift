/// A pattern that splits, rewrites or tests text, with the meaning that Oniguruma, or Python, gives it.
package struct RegularExpression: Sendable {
  private let program: RegularExpressionProgram
  /// The fewest scalars of a match.
  package let minimumLength: Int

  /// A pattern of Oniguruma, as `tokenizer.json` has them.
  package init(_ pattern: String) throws(RegularExpressionError) {
    let syntax = try RegularExpressionParser.parse(pattern, .oniguruma)
    minimumLength = syntax.minimumLength
    program = try RegularExpressionProgram(syntax)
  }

  /// A pattern of Python's `re`, as PEFT's configurations have them.
  ///
  /// - Parameter isWhole: true where it has to match all of a text, as `fullmatch` has it; else its beginning, as `match` has it.
  /// - Throws: `RegularExpressionError` for what `re` refuses, and for references back to groups.
  package init(python pattern: String, isWhole: Bool) throws(RegularExpressionError) {
    let syntax = try RegularExpressionParser.parse(pattern, .python)
    minimumLength = syntax.minimumLength
    program = try RegularExpressionProgram(isWhole ? .sequence([syntax, .assertion(.textEnd)]) : syntax)
  }

  /// Returns true where a match begins at the start of the text.
  package func matches(_ text: String) -> Bool {
    Array(text.utf8).withUnsafeBufferPointer { bytes in
      RegularExpressionMatcher.with(program, on: bytes) { $0.matchEnd(from: 0) != nil }
    }
  }

  /// A pattern that matches exactly `text`.
  package init(literal text: String) throws(RegularExpressionError) {
    minimumLength = text.unicodeScalars.count
    program = try RegularExpressionProgram(
      .sequence(text.unicodeScalars.map { .scalar(ScalarSet($0.value)) }))
  }

  /// Calls `body` with every match, from left to right. An empty match right behind another match does not count.
  package func forEachMatch(in text: UnsafeBufferPointer<UInt8>, _ body: (Range<Int>) -> Void) {
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
