/// A binary heap of possible merges: the lowest rank first, the leftmost of equal ranks.
struct MergeQueue {
  /// Rank in the upper half, position in the lower, so that one comparison orders both.
  private var entries: [UInt64] = []

  mutating func removeAll() { entries.removeAll(keepingCapacity: true) }

  mutating func insert(rank: UInt32, position: Int) {
    var index = entries.count
    let entry = UInt64(rank) << 32 | UInt64(position)
    entries.append(entry)
    while index > 0 {
      let parent = (index - 1) / 2
      if entries[parent] <= entry { break }
      entries[index] = entries[parent]
      index = parent
    }
    entries[index] = entry
  }

  mutating func popFirst() -> (rank: UInt32, position: Int)? {
    guard let first = entries.first, let last = entries.popLast() else { return nil }
    if !entries.isEmpty { siftDown(last) }
    return (UInt32(truncatingIfNeeded: first >> 32), Int(first & 0xFFFF_FFFF))
  }

  private mutating func siftDown(_ entry: UInt64) {
    var index = 0
    while true {
      var child = 2 * index + 1
      if child >= entries.count { break }
      if child + 1 < entries.count && entries[child + 1] < entries[child] { child += 1 }
      if entries[child] >= entry { break }
      entries[index] = entries[child]
      index = child
    }
    entries[index] = entry
  }
}
