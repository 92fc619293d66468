/// Best-fit-decreasing bin packing of documents into rows (Ding et al., 2024, "Fewer Truncations Improve Language Modeling").
enum Packing {
  /// Groups the indices of `lengths` into rows of at most `capacity` tokens, longest first, each into the fullest row
  /// that still holds it. A document longer than `capacity` gets a row of its own.
  ///
  /// Documents within a row and the rows themselves are in the order of their first document.
  /// Complexity: O(n log n + n · distinct free lengths / 64).
  static func bestFitDecreasing(_ lengths: [Int], capacity: Int) -> [[Int]] {
    precondition(capacity > 0, "capacity: positive")
    // A row never holds more than everything, whatever it might; the table below is as long as a row.
    let capacity = min(capacity, max(1, lengths.reduce(0, +)))
    let longestFirst = lengths.indices.sorted { (lengths[$0], $1) > (lengths[$1], $0) }
    var rows: [[Int]] = []
    var rowsByRoom: [[Int]] = Array(repeating: [], count: capacity + 1)
    var rooms = RoomSet(capacity: capacity)
    for document in longestFirst {
      let length = min(lengths[document], capacity)
      let row: Int
      let room: Int
      if let best = rooms.smallest(atLeast: max(length, 1)), let open = rowsByRoom[best].popLast() {
        (row, room) = (open, best - length)
        if rowsByRoom[best].isEmpty { rooms.remove(best) }
        rows[row].append(document)
      } else {
        (row, room) = (rows.count, capacity - length)
        rows.append([document])
      }
      if room > 0 {
        rowsByRoom[room].append(row)
        rooms.insert(room)
      }
    }
    return rows.map { $0.sorted() }.sorted { $0[0] < $1[0] }
  }
}

/// A set of small integers that finds its smallest member from some value on, a word at a time.
private struct RoomSet {
  private var words: [UInt64]

  init(capacity: Int) { words = Array(repeating: 0, count: capacity / 64 + 1) }

  mutating func insert(_ value: Int) { words[value / 64] |= 1 << UInt64(value % 64) }
  mutating func remove(_ value: Int) { words[value / 64] &= ~(1 << UInt64(value % 64)) }

  func smallest(atLeast value: Int) -> Int? {
    guard value / 64 < words.count else { return nil }
    var masked = words[value / 64] & (UInt64.max << UInt64(value % 64))
    for index in value / 64..<words.count {
      if index > value / 64 { masked = words[index] }
      if masked != 0 { return index * 64 + masked.trailingZeroBitCount }
    }
    return nil
  }
}
