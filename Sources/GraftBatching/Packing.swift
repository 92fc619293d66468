/// Best-fit-decreasing bin packing of documents into rows (Ding et al., 2024, "Fewer Truncations Improve Language Modeling").
enum Packing {
  /// Groups the indices of `lengths` into rows of at most `capacity` tokens, longest first, each into the fullest row
  /// that still holds it. A document longer than `capacity` gets a row of its own.
  ///
  /// Documents within a row and the rows themselves are in the order of their first document.
  /// Complexity: O(n + longest length + n · distinct free lengths / 64), and 20 bytes of memory a document.
  static func bestFitDecreasing(_ lengths: [Int], capacity: Int) -> RowList {
    precondition(capacity > 0, "capacity: positive")
    // A row never holds more than everything, whatever it might; the table below is as long as a row.
    let capacity = min(capacity, max(1, lengths.reduce(0, +)))
    var rowOfDocument = [Int32](repeating: 0, count: lengths.count)
    var rowCount = 0
    var open = OpenRows(capacity: capacity)
    for document in longestFirst(lengths, capacity: capacity) {
      let length = min(lengths[Int(document)], capacity)
      let (row, room) = open.takeFullest(holding: max(length, 1)) ?? (Int32(rowCount), capacity)
      if row == rowCount { rowCount += 1 }
      rowOfDocument[Int(document)] = row
      if room > length { open.add(row, room: room - length) }
    }
    return RowList(rowOfDocument, rowCount: rowCount)
  }

  /// The indices of `lengths`, those of the longest first, equals in order: a counting sort. Lengths above the capacity count as it and one more,
  /// and stand in their order, as nothing else goes into their rows.
  private static func longestFirst(_ lengths: [Int], capacity: Int) -> [Int32] {
    func key(_ length: Int) -> Int { capacity + 1 - min(max(length, 0), capacity + 1) }
    var starts = [Int](repeating: 0, count: capacity + 3)
    for length in lengths { starts[key(length) + 1] += 1 }
    for index in 1..<starts.count { starts[index] += starts[index - 1] }
    var order = [Int32](repeating: 0, count: lengths.count)
    for (document, length) in lengths.enumerated() {
      order[starts[key(length)]] = Int32(document)
      starts[key(length)] += 1
    }
    return order
  }
}

/// Rows of several documents each, one behind the other in two flat arrays.
struct RowList {
  /// The documents of all rows.
  private(set) var documents: [Int32]
  /// The end of each row in `documents`; nil where every row is one document.
  private var ends: [Int32]?

  /// Rows of one document each.
  init(_ documents: [Int32]) { (self.documents, ends) = (documents, nil) }

  /// Rows in the order of their first documents, from the row of every document.
  fileprivate init(_ rowOfDocument: [Int32], rowCount: Int) {
    var place = [Int32](repeating: -1, count: rowCount)
    var ends: [Int32] = []
    ends.reserveCapacity(rowCount)
    for row in rowOfDocument {
      if place[Int(row)] < 0 {
        place[Int(row)] = Int32(ends.count)
        ends.append(0)
      }
      ends[Int(place[Int(row)])] += 1
    }
    for row in ends.indices.dropFirst() { ends[row] += ends[row - 1] }
    var next: [Int32] = [0] + ends.dropLast()
    documents = [Int32](repeating: 0, count: rowOfDocument.count)
    for (document, row) in rowOfDocument.enumerated() {
      let place = Int(place[Int(row)])
      documents[Int(next[place])] = Int32(document)
      next[place] += 1
    }
    self.ends = ends
  }

  var count: Int { ends?.count ?? documents.count }

  /// The documents of a row.
  subscript(row: Int) -> ArraySlice<Int32> {
    guard let ends else { return documents[row...row] }
    return documents[(row > 0 ? Int(ends[row - 1]) : 0)..<Int(ends[row])]
  }

  /// Returns the same rows of other documents: `order` names the document that stands for each index.
  func renaming(by order: [Int32]) -> RowList {
    var result = self
    for index in documents.indices { result.documents[index] = order[Int(documents[index])] }
    return result
  }

  /// Returns the same rows in another order.
  func reordered(_ order: [Int32]) -> RowList {
    var result = RowList([])
    var ends: [Int32] = []
    ends.reserveCapacity(order.count)
    result.documents.reserveCapacity(documents.count)
    for row in order {
      result.documents += self[Int(row)]
      ends.append(Int32(result.documents.count))
    }
    result.ends = ends
    return result
  }
}

/// Rows that are not full, by the room they have: those of one room are a stack, linked by their numbers.
private struct OpenRows {
  /// The topmost row of every room; -1 where there is none.
  private var top: [Int32]
  /// The row below each.
  private var below: [Int32] = []
  private var rooms: RoomSet

  init(capacity: Int) {
    top = [Int32](repeating: -1, count: capacity + 1)
    rooms = RoomSet(capacity: capacity)
  }

  mutating func add(_ row: Int32, room: Int) {
    while below.count <= row { below.append(-1) }
    below[Int(row)] = top[room]
    top[room] = row
    rooms.insert(room)
  }

  /// Takes out the fullest row that has as much room, with the room it has.
  mutating func takeFullest(holding length: Int) -> (row: Int32, room: Int)? {
    guard let room = rooms.smallest(atLeast: length) else { return nil }
    let row = top[room]
    top[room] = below[Int(row)]
    if top[room] < 0 { rooms.remove(room) }
    return (row, room)
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
