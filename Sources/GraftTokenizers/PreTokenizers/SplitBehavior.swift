/// The treatment of the delimiters at which a text is split.
enum SplitBehavior: String, Sendable {
  case removed = "Removed"
  case isolated = "Isolated"
  case mergedWithPrevious = "MergedWithPrevious"
  case mergedWithNext = "MergedWithNext"
  case contiguous = "Contiguous"

  /// A stretch of text: a delimiter or what is between two.
  typealias Stretch = (range: Range<Int>, isDelimiter: Bool)

  init(_ component: Component, default standard: SplitBehavior? = nil) throws(TokenizerError) {
    let name = component.json["behavior"]?.string
    guard let behavior = name.map({ SplitBehavior(rawValue: $0) }) ?? standard else {
      throw component.error("unknown behavior \"\(name ?? "")\" of pre-tokenizer \(component.type)")
    }
    self = behavior
  }

  /// Hands over the pieces that stretches, which cover a text without gaps, make under this behavior.
  func forEachPiece(of stretches: [Stretch], _ body: (Range<Int>) -> Void) {
    switch self {
    case .isolated: for stretch in stretches { body(stretch.range) }
    case .removed: for stretch in stretches where !stretch.isDelimiter { body(stretch.range) }
    case .contiguous: join(stretches, body) { $0 == $1 }
    case .mergedWithPrevious: join(stretches, body) { previous, next in next && !previous }
    case .mergedWithNext:
      var pieces: [Range<Int>] = []
      var followsDelimiter = false
      for stretch in stretches.reversed() {
        if stretch.isDelimiter && !followsDelimiter, let last = pieces.last {
          pieces[pieces.count - 1] = stretch.range.lowerBound..<last.upperBound
        } else {
          pieces.append(stretch.range)
        }
        followsDelimiter = stretch.isDelimiter
      }
      for piece in pieces.reversed() { body(piece) }
    }
  }

  /// Joins stretches to the piece before them where `joins` says so, from what both are.
  private func join(_ stretches: [Stretch], _ body: (Range<Int>) -> Void, where joins: (Bool, Bool) -> Bool) {
    var piece: Range<Int>?
    var wasDelimiter = false
    for stretch in stretches {
      if let current = piece, joins(wasDelimiter, stretch.isDelimiter) {
        piece = current.lowerBound..<stretch.range.upperBound
      } else {
        if let current = piece { body(current) }
        piece = stretch.range
      }
      wasDelimiter = stretch.isDelimiter
    }
    if let piece { body(piece) }
  }
}
