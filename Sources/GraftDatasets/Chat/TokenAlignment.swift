/// The alignment of tokens with the bytes of a text.
struct TokenAlignment {
  let tokenizer: any TextTokenizer
  let text: [UInt8]
  let tokens: [Int32]

  init(_ tokenizer: any TextTokenizer, text: String) {
    self.tokenizer = tokenizer
    self.text = Array(text.utf8)
    tokens = tokenizer.ids(text, special: false)
  }

  /// The tokens that hold any of the bytes `range`.
  func tokens(holding range: Range<Int>) -> Range<Int> {
    let start = shared(upTo: range.lowerBound).count
    return start..<max(start, end(of: range.upperBound))
  }

  /// Returns the number of tokens up to an offset; one that reaches over it counts.
  private func end(of offset: Int) -> Int {
    let (count, isClean) = shared(upTo: offset)
    guard !isClean, offset < text.count else { return isClean ? count : tokens.count }
    let tail = tokenizer.ids(String(decoding: text[offset...], as: UTF8.self), special: false)
    return max(count, tokens.count - Self.commonPrefixCount(tail.reversed(), tokens.reversed()))
  }

  /// Returns the number of tokens that the text up to an offset has in common with the whole, and true where those are all of its own.
  private func shared(upTo offset: Int) -> (count: Int, isClean: Bool) {
    let head = tokenizer.ids(String(decoding: text[..<offset], as: UTF8.self), special: false)
    let count = Self.commonPrefixCount(head, tokens)
    return (count, count == head.count)
  }

  static func commonPrefixCount(_ a: some Sequence<Int32>, _ b: some Sequence<Int32>) -> Int {
    zip(a, b).prefix { $0 == $1 }.reduce(0) { count, _ in count + 1 }
  }
}
