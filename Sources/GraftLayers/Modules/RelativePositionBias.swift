import Foundation
import GraftTensors

/// Learned scores by bucketed distance, shared by all layers of a stack (Raffel et al. 2020, section 2.1).
public final class RelativePositionBias {
  /// `[buckets, heads]`.
  public let table: Embedding
  /// The distance from which on all positions share the last bucket.
  public let maximumDistance: Int
  /// True where later positions have buckets of their own, as in an encoder.
  public let isBidirectional: Bool

  /// The table at the path of `scope`.
  /// - Throws: as `Scope.parameter` does.
  public init(_ scope: Scope, buckets: Int, heads: Int, maximumDistance: Int, isBidirectional: Bool, initializer: Initializer) throws {
    table = try Embedding(scope, entries: buckets, width: heads, initializer: initializer)
    (self.maximumDistance, self.isBidirectional) = (maximumDistance, isBidirectional)
  }

  /// Returns the biases of all distances from `-distance` to `distance`.
  public func bias(upTo distance: Int, _ pass: Pass) -> DistanceBias {
    let buckets = (-distance...distance).map { Int32(bucket(of: $0)) }
    return DistanceBias(table(Tensor(buckets), pass).transposed)
  }

  /// The bucket of a key's place less the query's: one each for the nearest half, then as many again that widen
  /// logarithmically up to the maximum distance.
  package func bucket(of distance: Int) -> Int {
    let count = isBidirectional ? table.entries / 2 : table.entries
    let side = isBidirectional && distance > 0 ? count : 0
    let length = isBidirectional ? abs(distance) : max(0, -distance)
    let exact = count / 2
    guard length >= exact else { return side + length }
    // In float32, as the reference does: buckets change at whole numbers.
    let ratio = log(Float(length) / Float(exact)) / Float(log(Double(maximumDistance) / Double(exact)))
    return side + min(count - 1, exact + Int(ratio * Float(count - exact)))
  }
}
