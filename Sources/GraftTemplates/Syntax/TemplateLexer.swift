/// Splits a template into tokens, with Jinja's white-space control under `trim_blocks` and `lstrip_blocks`.
struct TemplateLexer {
  let source: [Unicode.Scalar]
  var position = 0
  var line = 1
  var tokens: [TemplateToken] = []
  /// True where the text read last ended with a line feed, or nothing was read yet.
  private var startsLine = true

  init(_ text: String) {
    var scalars: [Unicode.Scalar] = []
    scalars.reserveCapacity(text.utf8.count)
    var previous: Unicode.Scalar?
    for scalar in text.unicodeScalars {
      if scalar == "\r" {
        scalars.append("\n")
      } else if !(scalar == "\n" && previous == "\r") {
        scalars.append(scalar)
      }
      previous = scalar
    }
    if scalars.last == "\n" { scalars.removeLast() }
    source = scalars
  }

  static func tokens(of text: String) throws -> [TemplateToken] {
    var lexer = TemplateLexer(text)
    while lexer.position < lexer.source.count {
      try lexer.readDataAndTag()
    }
    lexer.append(.end)
    return lexer.tokens
  }

  private mutating func readDataAndTag() throws {
    guard let tag = nextTag(from: position) else {
      append(.data(text(position..<source.count)))
      position = source.count
      return
    }
    let dataStart = position
    if let end = endOfRawBegin(at: tag) {
      appendData(dataStart..<tag, sign: sign(at: tag + 2), stripsLine: true)
      advance(to: end)
      try readRaw()
      return
    }
    let sign = sign(at: tag + 2)
    appendData(dataStart..<tag, sign: sign, stripsLine: source[tag + 1] != "{")
    advance(to: tag)
    let opener = source[tag + 1]
    switch opener {
    case "#":
      advance(to: tag + 2 + (sign == nil ? 0 : 1))
      try readComment()
    default:
      append(opener == "{" ? .variableBegin : .blockBegin)
      advance(to: tag + 2 + (sign == nil ? 0 : 1))
      try readExpression(closing: opener == "{" ? "}" : "%")
    }
  }

  // MARK: Text around tags

  private func nextTag(from start: Int) -> Int? {
    var index = start
    while index + 1 < source.count {
      if source[index] == "{", source[index + 1] == "{" || source[index + 1] == "%" || source[index + 1] == "#" {
        return index
      }
      index += 1
    }
    return nil
  }

  private func sign(at index: Int) -> Unicode.Scalar? {
    guard index < source.count, source[index] == "-" || source[index] == "+" else { return nil }
    return source[index]
  }

  private mutating func appendData(_ range: Range<Int>, sign: Unicode.Scalar?, stripsLine: Bool) {
    var end = range.upperBound
    if sign == "-" {
      while end > range.lowerBound, source[end - 1].isPythonSpace { end -= 1 }
    } else if sign == nil, stripsLine {
      var lineStart = end
      while lineStart > range.lowerBound, source[lineStart - 1] != "\n" { lineStart -= 1 }
      if lineStart > range.lowerBound || startsLine, source[lineStart..<end].allSatisfy(\.isPythonSpace) {
        end = lineStart
      }
    }
    if end > range.lowerBound { append(.data(text(range.lowerBound..<end))) }
    advance(to: range.upperBound)
  }

  private mutating func readComment() throws {
    var index = position
    while index + 1 < source.count {
      if source[index] == "#", source[index + 1] == "}" {
        let control = index > position ? sign(at: index - 1) : nil
        advance(to: endOfTag(after: index + 2, control: control))
        return
      }
      index += 1
    }
    throw TemplateFailure(.syntax, "Missing end of comment tag", line: line)
  }

  /// Returns the start of the text after a closing tag, given the sign before it.
  private func endOfTag(after index: Int, control: Unicode.Scalar?) -> Int {
    if control == "-" { return skippingSpace(from: index) }
    if control == nil, index < source.count, source[index] == "\n" { return index + 1 }
    return index
  }

  // MARK: Raw blocks

  private func endOfRawBegin(at tag: Int) -> Int? {
    guard source[tag + 1] == "%" else { return nil }
    var index = skippingSpace(from: tag + 2 + (sign(at: tag + 2) == nil ? 0 : 1))
    guard matches("raw", at: index) else { return nil }
    index = skippingSpace(from: index + 3)
    if matches("-%}", at: index) { return skippingSpace(from: index + 3) }
    return matches("%}", at: index) ? index + 2 : nil
  }

  private mutating func readRaw() throws {
    var tag = position
    while let candidate = nextTag(from: tag) {
      if source[candidate + 1] == "%" {
        let sign = sign(at: candidate + 2)
        var index = skippingSpace(from: candidate + 2 + (sign == nil ? 0 : 1))
        if matches("endraw", at: index) {
          index = skippingSpace(from: index + 6)
          let control = self.sign(at: index)
          if control != nil { index += 1 }
          if matches("%}", at: index) {
            appendData(position..<candidate, sign: sign, stripsLine: true)
            advance(to: endOfTag(after: index + 2, control: control))
            return
          }
        }
      }
      tag = candidate + 1
    }
    throw TemplateFailure(.syntax, "Missing end of raw directive", line: line)
  }

  // MARK: Helpers

  /// Moves on, counting lines.
  mutating func advance(to end: Int) {
    guard end > position else { return }
    for index in position..<end where source[index] == "\n" { line += 1 }
    startsLine = source[end - 1] == "\n"
    position = end
  }

  mutating func append(_ kind: TemplateToken.Kind) {
    tokens.append(TemplateToken(kind: kind, line: line))
  }

  func text(_ range: Range<Int>) -> String {
    var result = String.UnicodeScalarView()
    result.append(contentsOf: source[range])
    return String(result)
  }

  func matches(_ word: String, at index: Int) -> Bool {
    var index = index
    for scalar in word.unicodeScalars {
      guard index < source.count, source[index] == scalar else { return false }
      index += 1
    }
    return true
  }

  func skippingSpace(from index: Int) -> Int {
    var index = index
    while index < source.count, source[index].isPythonSpace { index += 1 }
    return index
  }
}
