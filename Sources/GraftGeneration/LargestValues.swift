extension UnsafeBufferPointer<Float> {
  /// The `count` largest values with their places, largest first and of equals the earlier; all where there are fewer.
  func largest(_ count: Int) -> [(place: Int, value: Float)] {
    var kept: [(place: Int, value: Float)] = []
    kept.reserveCapacity(Swift.min(count, self.count) + 1)
    for (place, value) in enumerated() {
      if kept.count >= count {
        guard let least = kept.last, value > least.value else { continue }
        kept.removeLast()
      }
      var low = 0
      var high = kept.count
      while low < high {
        let middle = (low + high) / 2
        if kept[middle].value >= value { low = middle + 1 } else { high = middle }
      }
      kept.insert((place, value), at: low)
    }
    return kept
  }
}
