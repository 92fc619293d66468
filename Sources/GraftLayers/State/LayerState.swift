/// The state that one layer keeps of every sequence's earlier tokens, so that a new token costs one row: keys and values,
/// an encoder's, a recurrence, or compressed latents. The layer itself decides the kind.
///
/// A row is one token, or one virtual token in front of a sequence.
public protocol LayerState: AnyObject {
  /// Keeps the given sequences, in the given order; one may be there several times, as in a beam search.
  func select(_ sequences: [Int])

  /// Forgets all but the first `counts[i]` rows of sequence `i`. Nothing at all can always be kept.
  ///
  /// - Returns: false where the state cannot go back so far; its content is undefined until it is truncated to nothing.
  func truncate(to counts: [Int]) -> Bool

  /// The memory that it takes.
  var byteCount: Int { get }
}
