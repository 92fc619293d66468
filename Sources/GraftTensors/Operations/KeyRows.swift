import CKernels

/// The rows of keys and values that a span reads, in the order of its tokens: one run of them, or several where they lie in
/// pages, in a ring or behind a prefix that sequences share.
public struct KeyRows: Sendable, Hashable {
  /// The first run, which is the only one where rows lie side by side.
  public let first: Range<Int>
  /// The runs after it.
  public let others: [Range<Int>]
  /// The number of rows in all runs.
  public let count: Int

  /// Rows side by side.
  public init(_ rows: Range<Int>) {
    first = rows
    others = []
    count = rows.count
  }

  /// Several runs; adjoining ones are joined and empty ones left out.
  public init(_ runs: some Sequence<Range<Int>>) {
    var joined: [Range<Int>] = []
    for run in runs where !run.isEmpty {
      if let last = joined.last, last.upperBound == run.lowerBound {
        joined[joined.count - 1] = last.lowerBound..<run.upperBound
      } else {
        joined.append(run)
      }
    }
    first = joined.first ?? 0..<0
    others = Array(joined.dropFirst())
    count = joined.reduce(0) { $0 + $1.count }
  }

  /// True where the rows lie side by side.
  public var isContiguous: Bool { others.isEmpty }

  /// Runs `body` for every run in order, with the number of rows before it.
  @inline(__always)
  package func forEachRun(_ body: (_ rows: Range<Int>, _ before: Int) -> Void) {
    body(first, 0)
    var before = first.count
    for run in others {
      body(run, before)
      before += run.count
    }
  }
}

extension KeyRows {
  /// Runs `body` for the runs that hold a range of the rows, counted within the span, with the number of rows of it before each.
  func forEachRun(in range: Range<Int>, _ body: (_ rows: Range<Int>, _ before: Int) -> Void) {
    forEachRun { rows, before in
      let part = range.clamped(to: before..<before + rows.count)
      guard !part.isEmpty else { return }
      let first = rows.lowerBound + part.lowerBound - before
      body(first..<first + part.count, part.lowerBound - range.lowerBound)
    }
  }

  /// Some rows of a tensor side by side, some consecutive columns of each.
  ///
  /// - Parameter range: the rows, counted within the span.
  /// - Returns: `[range.count, columns.count]`, as the tensor's elements are stored.
  func gathered(_ x: Tensor, rows range: Range<Int>, columns: Range<Int>) -> Tensor {
    let out = Tensor(uninitialized: [range.count, columns.count], dtype: x.dtype)
    let width = x.dtype.bytes(for: columns.count)
    forEachRun(in: range) { rows, before in
      for (index, row) in rows.enumerated() {
        let from = x.rawPointer + x.dtype.bytes(for: row * x.shape.columns + columns.lowerBound)
        (out.rawPointer + (before + index) * width).copyMemory(from: from, byteCount: width)
      }
    }
    return out
  }
}

/// The memory that the gradients of spans' keys and values are written to: in the rows themselves where no two spans share one, else in rows
/// of each span's own, which are added up in the order of the spans.
struct KeyGradientPlaces {
  private let spans: [AttentionSpan]
  private let isDirect: Bool
  /// The first gradient row of each span.
  let starts: [Int]
  let rowCount: Int

  /// - Parameter rows: those of the keys.
  init(_ spans: [AttentionSpan], rows: Int) {
    self.spans = spans
    isDirect =
      zip(spans, spans.dropFirst()).allSatisfy { $0.keys.first.upperBound <= $1.keys.first.lowerBound }
      && spans.allSatisfy(\.keys.isContiguous)
    var at = 0
    var apart: [Int] = []
    for span in spans {
      apart.append(at)
      at += span.keys.count
    }
    starts = isDirect ? spans.map(\.keys.first.lowerBound) : apart
    rowCount = isDirect ? rows : at
  }

  /// Adds the rows of all spans to the gradient of the keys or values.
  /// - Parameter gradient: `[rowCount, width]`.
  func accumulate(_ gradient: Tensor, into input: Slot, on tape: Tape) {
    guard !isDirect else { return tape.accumulate(gradient, into: input) }
    let width = gradient.shape.columns
    tape.accumulateZeroed(into: input) { total in
      for (span, start) in zip(spans, starts) {
        span.keys.forEachRun { rows, before in
          graft_accumulate(total + rows.lowerBound * width, gradient.pointer + (start + before) * width, rows.count * width)
        }
      }
    }
  }
}
