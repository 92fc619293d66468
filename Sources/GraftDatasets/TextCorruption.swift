import GraftBatching

/// The corruption that makes texts exercises in putting them together again.
public struct TextCorruption: Sendable, Equatable {
  /// The share of a text's tokens that are taken out or masked.
  public var rate: Double
  /// The mean number of neighbouring tokens taken out together.
  public var meanSpanLength: Double

  /// - Parameters:
  ///   - rate: the share of a text's tokens.
  ///   - meanSpanLength: the mean number of neighbouring tokens.
  public init(rate: Double = 0.15, meanSpanLength: Double = 3) {
    self.rate = rate
    self.meanSpanLength = meanSpanLength
  }

  /// The spans of `0 ..< count` to take out, in order and never side by side: `rate` of all tokens, rounded, in as many
  /// spans as the mean length makes of them, their lengths and places uniformly random (Raffel et al. 2020, section 3.1.4).
  ///
  /// - Parameter limit: the most spans.
  /// - Returns: at least one span, and at least one token outside; none of fewer than two tokens.
  package func spans(of count: Int, limit: Int, _ random: inout CounterRandom) -> [Range<Int>] {
    guard count > 1, limit > 0 else { return [] }
    let taken = min(max(Int((Double(count) * rate).rounded()), 1), count - 1)
    let left = count - taken
    let wanted = Int((Double(taken) / meanSpanLength).rounded())
    let number = min(max(wanted, 1), taken, left + 1, limit)
    let lengths = Self.composition(of: taken, parts: number, &random)
    // What stays before the first span and behind the last may be nothing.
    var gaps = Self.composition(of: left + 2, parts: number + 1, &random)
    gaps[0] -= 1
    var start = 0
    return zip(gaps, lengths).map { gap, length in
      start += gap + length
      return start - length..<start
    }
  }

  /// `total` as a sum of `parts` positive numbers, every such sum equally likely.
  private static func composition(of total: Int, parts: Int, _ random: inout CounterRandom) -> [Int] {
    let cuts = random.permutation(of: total - 1).prefix(parts - 1).map { Int($0) + 1 }.sorted()
    return zip([0] + cuts, cuts + [total]).map { $1 - $0 }
  }
}
