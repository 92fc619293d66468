import Foundation

/// The form of one attention: its heads and its arithmetic, apart from tensors and rows.
///
/// A family makes it once and hands it, whole, to a layer, which hands it to `attention`.
public struct AttentionOptions: Sendable, Hashable {
  /// The number of query heads.
  public var heads: Int
  /// The number of key and value heads, a divisor of `heads` (grouped queries: Ainslie et al. 2023).
  public var keyValueHeads: Int
  /// The columns of one query or key head.
  public var headSize: Int
  /// The columns of one value head.
  public var valueSize: Int
  /// The positive factor of the scores: one over the root of the head's size, as a rule.
  public var scale: Float
  /// The largest magnitude of a scaled score, `softcap * tanh(score / softcap)`; nil for none (Gemma 2; Bello et al. 2016, eq. 16).
  public var softcap: Float?
  /// The number of keys, its own included, that a query sees; nil for all (Beltagy et al. 2020; Mistral's sliding window).
  public var window: Int?
  /// The probability with which a weight is set to 0 in training.
  public var dropout: Float

  /// - Parameters:
  ///   - keyValueHeads: as many as `heads` where nil.
  ///   - valueSize: `headSize` where nil.
  ///   - scale: one over the root of `headSize` where nil.
  /// - Precondition: `keyValueHeads` divides `heads`, and `scale` is positive.
  public init(
    heads: Int, keyValueHeads: Int? = nil, headSize: Int, valueSize: Int? = nil, scale: Float? = nil, softcap: Float? = nil, window: Int? = nil,
    dropout: Float = 0
  ) {
    self.heads = heads
    self.keyValueHeads = keyValueHeads ?? heads
    self.headSize = headSize
    self.valueSize = valueSize ?? headSize
    self.scale = scale ?? 1 / Float(headSize).squareRoot()
    self.softcap = softcap
    self.window = window
    self.dropout = dropout
    precondition(heads % self.keyValueHeads == 0, "\(heads) heads do not share \(self.keyValueHeads) key and value heads")
    precondition(self.scale > 0, "scores scaled by \(self.scale)")
  }

  /// The columns of all queries, `heads * headSize`.
  public var queryWidth: Int { heads * headSize }
  /// The columns of all keys, `keyValueHeads * headSize`.
  public var keyWidth: Int { keyValueHeads * headSize }
  /// The columns of all values, `keyValueHeads * valueSize`.
  public var valueWidth: Int { keyValueHeads * valueSize }
  /// The columns of the result, `heads * valueSize`.
  public var contextWidth: Int { heads * valueSize }
}

/// The keys that a query sees within its span, apart from a window.
public enum AttentionMask: Sendable, Hashable {
  /// The keys up to its own position.
  case causal
  /// All, as encoders and cross-attention do.
  case bidirectional
  /// The keys up to its own position and, in span `i`, the first `lengths[i]` (Raffel et al. 2020, figure 4).
  case prefix(lengths: [Int])

  /// Returns the keys that the queries of a span see out of `count`.
  func visibility(of span: Int, keyCount: Int, window: Int?) -> KeyVisibility {
    let shared =
      switch self {
      case .causal: 0
      case .bidirectional: keyCount
      case .prefix(let lengths): lengths[span]
      }
    return KeyVisibility(keyCount: keyCount, shared: shared, window: window ?? keyCount)
  }
}

/// The keys of a span, counted within it, that its queries see: a range that moves on with the query.
struct KeyVisibility {
  let keyCount: Int
  /// The keys from the first on that every query sees, apart from a window.
  let shared: Int
  let window: Int

  /// The keys that the query at a place among the keys sees.
  func keys(at place: Int) -> Range<Int> {
    let last = min(keyCount, max(place + 1, shared))
    return min(last, max(0, place - window + 1))..<last
  }
}

/// Scores added by the distance from query to key, shared by all rows of a head.
public struct DistanceBias {
  /// `[heads, 2 * maximumDistance + 1]`: column `maximumDistance + key position - query position`.
  public let values: Tensor

  /// The biases of a table, as T5 learns them.
  public init(_ values: Tensor) { self.values = values }

  /// Biases that fall by a head's slope with every token between key and query: ALiBi (Press et al. 2022, section 3).
  ///
  /// - Parameters:
  ///   - slopes: one a head.
  ///   - maximumDistance: the largest distance.
  public init(slopes: [Float], maximumDistance: Int) {
    values = Tensor(
      slopes.flatMap { slope in (-maximumDistance...maximumDistance).map { slope * Float($0) } }, [slopes.count, 2 * maximumDistance + 1])
  }

  /// The slopes of ALiBi: a geometric sequence from `2^(-8/n)` for a power of two `n`, and every other one of `2n`'s for the heads beyond it.
  public static func slopes(heads: Int) -> [Float] {
    var power = 1
    while 2 * power <= heads { power *= 2 }
    func exponent(_ step: Int, of count: Int) -> Float { Float(exp2(-8 * Double(step) / Double(count))) }
    return (0..<heads).map { head in
      head < power ? exponent(head + 1, of: power) : exponent(2 * (head - power) + 1, of: 2 * power)
    }
  }

  var maximumDistance: Int { values.shape.columns / 2 }
}
