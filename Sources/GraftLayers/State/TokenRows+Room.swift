import GraftTensors

/// Finding room for rows.
extension TokenRows {
  /// Rows that a sequence which has parted from another takes at a time.
  private static let branchRows = 4

  /// Takes at most `count` rows for a sequence, and adds them to it.
  mutating func take(_ count: Int, for index: Int, _ expected: Int) -> Range<Int> {
    if sequences[index].spare.isEmpty {
      sequences[index].spare = allocate(max(count, ahead(of: index, expected)), behind: sequences[index].runs.last?.upperBound)
    }
    let spare = sequences[index].spare
    let taken = spare.prefix(count)
    sequences[index].spare = taken.upperBound..<spare.upperBound
    sequences[index].add(taken)
    return taken
  }

  /// The number of rows that a sequence without spare ones takes at once.
  private func ahead(of index: Int, _ expected: Int) -> Int {
    let sequence = sequences[index]
    if sequence.isBranch { return Self.branchRows }
    return min(expected, largestCount.map { $0 + Self.slack } ?? expected) - sequence.count
  }

  /// Takes free rows: behind a given one, else the first place for all of them, else what there is.
  private mutating func allocate(_ wanted: Int, behind last: Int?) -> Range<Int> {
    let place =
      free.firstIndex { $0.lowerBound == last } ?? free.firstIndex { $0.count >= wanted }
      ?? free.indices.max { free[$0].count < free[$1].count }
    guard let place else { preconditionFailure("no room was made for \(wanted) rows") }
    let found = free[place]
    let taken = found.prefix(wanted)
    if taken.count == found.count { free.remove(at: place) } else { free[place] = taken.upperBound..<found.upperBound }
    return taken
  }

  /// Makes sure that there are free rows for so many of each sequence: first those that nobody holds any more, then new ones.
  mutating func makeRoom(for counts: [Int], like parts: [Tensor], _ expected: Int) {
    let missing = counts.enumerated().reduce(0) { sum, entry in
      let needed = entry.element - sequences[entry.offset].spare.count
      return sum + (needed > 0 ? max(needed, ahead(of: entry.offset, expected)) : 0)
    }
    guard missing > 0, missing > freeCount else { return }
    collect()
    // Looking for free rows again at every step would cost more than a little memory.
    let rest = window == nil ? max(missing, rowCapacity / 8) : missing
    if rest > freeCount { grow(by: rest - freeCount, like: parts) }
  }

  private var freeCount: Int { free.reduce(0) { $0 + $1.count } }

  /// Finds the rows that nobody holds.
  private mutating func collect() {
    let held = (sequences.flatMap { $0.runs + [$0.spare] } + pinned).filter { !$0.isEmpty }.sorted { $0.lowerBound < $1.lowerBound }
    free = []
    var end = 0
    for run in held {
      if run.lowerBound > end { free.append(end..<run.lowerBound) }
      end = max(end, run.upperBound)
    }
    if end < rowCapacity { free.append(end..<rowCapacity) }
  }

  /// Makes the buffers larger, one after another, so that no more than one of them is there twice.
  private mutating func grow(by count: Int, like parts: [Tensor]) {
    let old = rowCapacity
    let rows = old + count
    if buffers.isEmpty {
      buffers = parts.map { Tensor(uninitialized: [rows, $0.shape.columns], dtype: format) }
    } else {
      for index in buffers.indices {
        let larger = Tensor(uninitialized: [rows, buffers[index].shape.columns], dtype: format)
        larger.overwriteRows(from: 0, with: buffers[index])
        buffers[index] = larger
      }
    }
    if let last = free.last, last.upperBound == old {
      free[free.count - 1] = last.lowerBound..<rows
    } else {
      free.append(old..<rows)
    }
  }
}
