import GraftBatching

/// Sets some examples aside, the same ones for the same seed.
public enum SeededSplit {
  /// Splits `0 ..< count` into indices to train on and indices set aside, at least one of each, both in order.
  ///
  /// - Parameter fraction: The share to set aside, between 0 and 1.
  /// - Throws: `DatasetError` when there are fewer than two.
  public static func indices(count: Int, fraction: Double, seed: UInt64) throws(DatasetError) -> (
    train: [Int], held: [Int]
  ) {
    guard count >= 2 else {
      throw DatasetError(
        problem: "\(count) examples cannot be split", advice: "add examples or leave out eval_fraction")
    }
    let heldCount = min(max(Int((Double(count) * fraction).rounded()), 1), count - 1)
    var random = CounterRandom(seed: seed, stream: 0x7370_6C69_74)
    let held = random.permutation(of: count).prefix(heldCount).map(Int.init).sorted()
    var isHeld = [Bool](repeating: false, count: count)
    for index in held { isHeld[index] = true }
    return ((0..<count).filter { !isHeld[$0] }, held)
  }
}
