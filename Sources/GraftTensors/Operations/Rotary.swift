import CKernels
import Foundation

/// The angles of rotary positions for the rows of a batch, shared by all layers.
public struct RotaryTable {
  /// `[rows, pairs]` each.
  public let cosine: Tensor, sine: Tensor
  /// True where components pair up as `(2i, 2i + 1)`, false for `(i, i + pairs)`.
  public let isInterleaved: Bool

  /// - Parameters:
  ///   - positions: one a row.
  ///   - inverseFrequencies: radians per position, one a pair.
  ///   - magnitude: multiplied into cosine and sine (YaRN's attention factor).
  public init(positions: [Int32], inverseFrequencies: [Float], magnitude: Float = 1, isInterleaved: Bool = false) {
    let pairs = inverseFrequencies.count
    cosine = Tensor(uninitialized: [positions.count, pairs])
    sine = Tensor(uninitialized: [positions.count, pairs])
    self.isInterleaved = isInterleaved
    let c = cosine.mutablePointer
    let s = sine.mutablePointer
    // The sequences of a batch have most positions in common: each is computed in the first row that has it.
    let lowest = positions.min() ?? 0
    var firstRows = [Int](repeating: -1, count: Int((positions.max() ?? 0) - lowest) + 1)
    let sources = positions.enumerated().map { row, position in
      let place = Int(position - lowest)
      if firstRows[place] < 0 { firstRows[place] = row }
      return firstRows[place]
    }
    parallel(over: positions.count, grain: 64) { rows in
      for row in rows where sources[row] == row {
        for pair in 0..<pairs {
          // As the reference does: the product in float32, the functions of it in double precision.
          let angle = Double(Float(positions[row]) * inverseFrequencies[pair])
          c[row * pairs + pair] = Float(cos(angle)) * magnitude
          s[row * pairs + pair] = Float(sin(angle)) * magnitude
        }
      }
    }
    for (row, source) in sources.enumerated() where source != row {
      (c + row * pairs).update(from: c + source * pairs, count: pairs)
      (s + row * pairs).update(from: s + source * pairs, count: pairs)
    }
  }

  /// The rows of several tables, each at its place.
  /// - Parameter parts: tables of the same pairs, with the rows that theirs become: every row once.
  public init(joining parts: [(rows: [Int], table: RotaryTable)]) {
    let count = parts.reduce(0) { $0 + $1.rows.count }
    let pairs = parts.first?.table.cosine.shape.columns ?? 0
    cosine = Tensor(uninitialized: [count, pairs])
    sine = Tensor(uninitialized: [count, pairs])
    isInterleaved = parts.first?.table.isInterleaved ?? false
    for (rows, table) in parts {
      for (index, row) in rows.enumerated() {
        (cosine.mutablePointer + row * pairs).update(from: table.cosine.pointer + index * pairs, count: pairs)
        (sine.mutablePointer + row * pairs).update(from: table.sine.pointer + index * pairs, count: pairs)
      }
    }
  }
}

/// Rotates the table's pairs of every head by the angles of its row (Su et al. 2021, eq. 34).
///
/// - Parameters:
///   - x: `[rows, heads * headSize]`; its memory is used for the result where nobody else holds it.
///   - first: the component of a head that the pairs begin with.
/// - Returns: the same shape.
public func rotate(_ x: consuming Tensor, _ table: RotaryTable, headSize: Int, from first: Int = 0) -> Tensor {
  let input = x.slot
  return recorded("rotate", rotated(consume x, table, headSize, first, direction: 1), from: input) { (gradient: consuming Tensor, tape: Tape) in
    tape.accumulate(rotated(consume gradient, table, headSize, first, direction: -1), into: input)
  }
}

private func rotated(_ x: consuming Tensor, _ table: RotaryTable, _ headSize: Int, _ first: Int, direction: Float) -> Tensor {
  let rows = x.shape.rows
  let columns = x.shape.columns
  let pairs = table.cosine.shape.columns
  precondition(first + 2 * pairs <= headSize, "\(pairs) pairs from \(first) on in heads of \(headSize)")
  precondition(columns % headSize == 0 && table.cosine.shape[0] == rows, "heads of \(headSize) in \(x.shape), angles \(table.cosine.shape)")
  let out = x.reusedMemory()
  let o = out.mutablePointer
  let from = x.pointer
  let c = table.cosine.pointer
  let s = table.sine.pointer
  parallel(over: rows, grain: rowGrain(columns: columns)) { part in
    let at = part.lowerBound * columns
    let angle = part.lowerBound * pairs
    graft_rotate(
      o + at, from + at, c + angle, s + angle, table.isInterleaved ? 1 : 0, direction, part.count, columns / headSize, headSize, first, pairs,
      columns,
      columns)
  }
  return out
}

let rotarySpecimens: [OperationSpecimen] =
  rotaryPairingSpecimens + [
    OperationSpecimen("rotate, the end of a head", .init("x", [5, 16])) {
      rotate($0[0], RotaryTable(positions: [0, 1, 2, 7, 9], inverseFrequencies: [1, 0.3, 0.02], isInterleaved: true), headSize: 8, from: 2)
    }
  ]

private let rotaryPairingSpecimens: [OperationSpecimen] = [false, true].map { interleaved in
  OperationSpecimen("rotate, \(interleaved ? "interleaved" : "halves")", .init("x", [5, 16])) {
    rotate(
      $0[0], RotaryTable(positions: [0, 1, 2, 7, 9], inverseFrequencies: [1, 0.3, 0.02], isInterleaved: interleaved), headSize: 8)
  }
}
