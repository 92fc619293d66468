/// The text of a Swift file, and the same with spaces in place of comments, texts and patterns, so that braces and words can be counted.
struct SwiftSource {
  let lines: [Substring]
  let code: [Substring]

  init(_ text: String) {
    lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    var blanker = Blanker(text)
    code = blanker.blanked().split(separator: "\n", omittingEmptySubsequences: false)
  }
}

/// Overwrites what is no code.
private struct Blanker {
  private let source: [UInt8]
  private var position = 0

  init(_ text: String) { source = Array(text.utf8) + [UInt8(ascii: "\n")] }

  mutating func blanked() -> String {
    var code = source
    while position < source.count {
      let start = position
      guard skip() else {
        position += 1
        continue
      }
      for index in start..<min(position, code.count) where code[index] != UInt8(ascii: "\n") { code[index] = UInt8(ascii: " ") }
    }
    return String(decoding: code.dropLast(), as: UTF8.self)
  }

  private func starts(with text: StaticString) -> Bool {
    text.withUTF8Buffer { source[position...].starts(with: $0) }
  }

  /// Moves over a comment, a text or a pattern that begins here.
  /// - Returns: false where none does.
  private mutating func skip() -> Bool {
    if starts(with: "//") {
      position = source[position...].firstIndex(of: UInt8(ascii: "\n")) ?? source.count
      return true
    }
    if starts(with: "/*") {
      repeat { position += 1 } while position < source.count && !starts(with: "*/")
      position += 2
      return true
    }
    return skipText() || skipPattern()
  }

  private mutating func skipText() -> Bool {
    let hashes = source[position...].prefix { $0 == UInt8(ascii: "#") }.count
    guard source[(position + hashes)...].first == UInt8(ascii: "\"") else { return false }
    let isLong = source[(position + hashes)...].starts(with: #"""""#.utf8)
    let close = Array((isLong ? #"""""# : "\"").utf8) + Array(repeating: UInt8(ascii: "#"), count: hashes)
    let escape = [UInt8(ascii: "\\")] + Array(repeating: UInt8(ascii: "#"), count: hashes)
    position += hashes + (isLong ? 3 : 1)
    while position < source.count, !source[position...].starts(with: close) {
      guard source[position...].starts(with: escape) else {
        position += 1
        continue
      }
      position += escape.count
      if source[position...].first == UInt8(ascii: "(") { skipInterpolation() } else { position += 1 }
    }
    position += close.count
    return true
  }

  private mutating func skipInterpolation() {
    var depth = 0
    repeat {
      if skipText() { continue }
      if source[position] == UInt8(ascii: "(") { depth += 1 }
      if source[position] == UInt8(ascii: ")") { depth -= 1 }
      position += 1
    } while depth > 0 && position < source.count
  }

  /// A pattern `/.../` stands behind what a value may follow, and begins with no space.
  private mutating func skipPattern() -> Bool {
    guard source[position] == UInt8(ascii: "/"), position + 1 < source.count, !" /=*".utf8.contains(source[position + 1]),
      let before = source[..<position].last(where: { $0 != UInt8(ascii: " ") }), "(,:=[{\n".utf8.contains(before)
    else { return false }
    let line = source[(position + 1)...].prefix { $0 != UInt8(ascii: "\n") }
    var end = line.startIndex
    while end < line.endIndex, line[end] != UInt8(ascii: "/") { end += line[end] == UInt8(ascii: "\\") ? 2 : 1 }
    guard end < line.endIndex else { return false }
    position = end + 1
    return true
  }
}
