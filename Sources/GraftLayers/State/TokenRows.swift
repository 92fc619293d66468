import GraftTensors

/// The rows of sequences' tokens in buffers that all of them share.
///
/// A sequence holds runs of rows, usually one. Sequences that continue a common beginning hold the same rows of it, and
/// nothing is copied when they part (Kwon et al. 2023, "Efficient Memory Management for Large Language Model Serving with
/// PagedAttention", section 4.4, with runs in place of pages). Rows that no sequence holds any more are found when room runs out.
struct TokenRows {
  /// The rows that one sequence holds.
  struct Sequence {
    /// In the order of its tokens.
    var runs: [Range<Int>] = []
    /// The number of rows that it has had, those dropped from its beginning included.
    var end = 0
    /// Rows for its next tokens, which no other sequence has.
    var spare = 0..<0
    /// Rows before this one may be held by others, too.
    var sharedEnd = 0
    /// True where it has parted from another: such a one often ends soon, and takes few rows at a time.
    var isBranch = false

    var count: Int { runs.reduce(0) { $0 + $1.count } }
    /// The number of rows dropped from its beginning.
    var start: Int { end - count }
  }

  /// `[rows, width]` each.
  var buffers: [Tensor] = []
  var sequences: [Sequence]
  /// Rows that nobody holds, as far as is known, in order.
  var free: [Range<Int>] = []
  /// Rows that stay although no sequence may hold them.
  private(set) var pinned: [Range<Int>] = []
  /// The most rows before a new one that a sequence still needs; nil where it needs all.
  let window: Int?
  /// The floating-point format that rows are kept in.
  let format: ElementFormat

  /// Rows that a window keeps beyond its own, so that a few tokens can be taken back.
  static let slack = 16

  /// - Parameters:
  ///   - window: the number of rows that a row sees, itself included.
  ///   - format: the floating-point format that rows are kept in.
  init(sequences count: Int, window: Int? = nil, format: ElementFormat = .float32) {
    sequences = Array(repeating: Sequence(), count: count)
    self.format = format
    self.window = window.map { $0 - 1 }
  }

  var byteCount: Int { buffers.reduce(0) { $0 + $1.byteCount } }

  var rowCapacity: Int { buffers.first?.shape[0] ?? 0 }

  /// The most rows of a sequence that are kept from one pass to the next.
  var largestCount: Int? { window.map { $0 + Self.slack } }

  func keys(_ sequence: Int) -> KeyRows { KeyRows(sequences[sequence].runs) }

  /// Appends rows `rows[i]` of `parts` to sequence `i`.
  ///
  /// - Parameter expected: the number of rows that sequences will have in the end.
  mutating func append(_ parts: [Tensor], _ rows: [Range<Int>], expecting expected: Int) {
    makeRoom(for: rows.map(\.count), like: parts, expected)
    for (index, new) in rows.enumerated() {
      var from = new.lowerBound
      while from < new.upperBound {
        let taken = take(new.upperBound - from, for: index, expected)
        for (buffer, part) in zip(buffers, parts) {
          buffer.overwriteRows(from: taken.lowerBound, with: part.rows(from..<from + taken.count))
        }
        from += taken.count
      }
    }
  }

  /// Stores rows that sequences can hold together, and returns where they are.
  mutating func pin(_ parts: [Tensor]) -> [Range<Int>] {
    sequences.append(Sequence())
    append(parts, sequences.dropLast().map { _ in 0..<0 } + [0..<(parts.first?.shape[0] ?? 0)], expecting: 0)
    pinned = sequences.removeLast().runs
    return pinned
  }

  /// Lets a sequence that has no rows begin with those that were pinned.
  mutating func begin(_ sequence: Int, with runs: [Range<Int>]) {
    let count = runs.reduce(0) { $0 + $1.count }
    sequences[sequence] = Sequence(runs: runs, end: count, sharedEnd: count)
  }

  /// Counts rows of a sequence that are not stored: those before them have left the window, too.
  mutating func skip(_ count: Int, of sequence: Int) {
    guard count > 0 else { return }
    sequences[sequence].dropFirst(sequences[sequence].count)
    sequences[sequence].end += count
  }

  /// Drops the rows that have left the window.
  mutating func dropUnseen() {
    guard let largestCount else { return }
    for index in sequences.indices { sequences[index].dropFirst(sequences[index].count - largestCount) }
  }

  mutating func select(_ chosen: [Int]) {
    var seen = Set<Int>()
    let repeated = Set(chosen.filter { !seen.insert($0).inserted })
    seen = []
    sequences = chosen.map { index in
      var sequence = sequences[index]
      guard repeated.contains(index) else { return sequence }
      sequence.sharedEnd = sequence.end
      if !seen.insert(index).inserted {
        sequence.spare = 0..<0
        sequence.isBranch = true
      }
      return sequence
    }
  }

  /// - Returns: false where a row that the next one sees is gone.
  mutating func truncate(to counts: [Int]) -> Bool {
    for (index, count) in counts.enumerated() where count < sequences[index].end {
      guard count == 0 || sequences[index].start <= max(0, count - (window ?? .max)) else { return false }
      sequences[index].truncate(to: count)
    }
    return true
  }
}

extension TokenRows.Sequence {
  /// Drops rows from the beginning.
  mutating func dropFirst(_ count: Int) {
    var excess = count
    while excess > 0, let first = runs.first {
      if first.count <= excess { runs.removeFirst() } else { runs[0] = first.lowerBound + excess..<first.upperBound }
      excess -= min(excess, first.count)
    }
  }

  /// Drops rows from the end; those of the last run left are written again where no other sequence has them.
  mutating func truncate(to count: Int) {
    var excess = end - max(count, start)
    while excess > 0, let last = runs.popLast() {
      let cut = max(last.lowerBound, last.upperBound - excess)
      excess -= last.upperBound - cut
      let isOwn = count >= sharedEnd
      spare = isOwn ? cut..<(spare.lowerBound == last.upperBound ? max(spare.upperBound, last.upperBound) : last.upperBound) : 0..<0
      if cut > last.lowerBound { runs.append(last.lowerBound..<cut) }
    }
    end = count
    sharedEnd = min(sharedEnd, count)
    if count == 0 { isBranch = false }
  }

  /// Adds rows at the end.
  mutating func add(_ rows: Range<Int>) {
    if let last = runs.last, last.upperBound == rows.lowerBound {
      runs[runs.count - 1] = last.lowerBound..<rows.upperBound
    } else {
      runs.append(rows)
    }
    end += rows.count
  }
}
