import CKernels

/// The sequences that a recurrence runs along: rows of one tensor, those of each sequence side by side. Rows may belong to none.
public struct SequenceRows {
  /// The rows of each sequence.
  public let spans: [Range<Int>]
  /// The number of all rows.
  public let count: Int
  /// `[rows]`: the place of every row in its sequence, and the sequence; 0 and -1 for a row of none.
  let places: Tensor, sequences: Tensor

  /// - Precondition: no row belongs to two.
  public init(_ spans: [Range<Int>], of count: Int) {
    var places = [Int32](repeating: 0, count: count)
    var sequences = [Int32](repeating: -1, count: count)
    for (sequence, span) in spans.enumerated() {
      precondition(0...count ~= span.upperBound && span.lowerBound >= 0, "rows \(span) of \(count)")
      for row in span {
        precondition(sequences[row] < 0, "row \(row) belongs to two sequences")
        places[row] = Int32(row - span.lowerBound)
        sequences[row] = Int32(sequence)
      }
    }
    (self.spans, self.count) = (spans, count)
    (self.places, self.sequences) = (Tensor(places), Tensor(sequences))
  }

  /// True where every row belongs to a sequence.
  var coversAll: Bool { spans.reduce(0) { $0 + $1.count } == count }

  /// A result of rows, zero where nothing writes: in the rows of no sequence.
  func makeRows(_ columns: Int) -> Tensor { coversAll ? Tensor(uninitialized: [count, columns]) : .zeros([count, columns]) }

  /// The first of every sequence's chunks of so many rows, of all chunks one sequence after another, and their number.
  func chunks(of length: Int = Int(GRAFT_SCAN_CHUNK)) -> (first: [Int], count: Int) {
    var total = 0
    let first = spans.map { span in
      defer { total += (span.count + length - 1) / length }
      return total
    }
    return (first, total)
  }

  /// Runs `body` for every sequence that has rows and every group of channels, on all threads.
  ///
  /// Groups do not depend on the number of threads, so that results do not.
  func forEach(channels: Int, _ body: (_ sequence: Int, _ group: Int, _ channels: Range<Int>) -> Void) {
    let width = Int(GRAFT_SCAN_CHANNELS)
    let groups = (channels + width - 1) / width
    parallel(spans.count * groups) { task in
      let (sequence, group) = (task / groups, task % groups)
      guard !spans[sequence].isEmpty else { return }
      body(sequence, group, group * width..<min(channels, (group + 1) * width))
    }
  }
}
