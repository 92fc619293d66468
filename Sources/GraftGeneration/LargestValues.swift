import GraftTensors

extension UnsafeBufferPointer<Float> {
  /// The index of the largest of finite values, the first where several are equal.
  var firstIndexOfLargest: Int {
    let largest = largestValue(of: self)
    return firstIndex(of: largest) ?? 0
  }

  /// Returns the `count` largest values with their indices, largest first and of equals the earlier; all where there are fewer.
  func largest(_ count: Int) -> [(index: Int, value: Float)] {
    var kept: [(index: Int, value: Float)] = []
    kept.reserveCapacity(Swift.min(count, self.count) + 1)
    for (index, value) in enumerated() {
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
      kept.insert((index, value), at: low)
    }
    return kept
  }
}
