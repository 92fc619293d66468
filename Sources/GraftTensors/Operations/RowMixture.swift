import CKernels
import Foundation

/// Mixtures of a bank's vectors: each row's few largest logits choose vectors, and their softmax weighs them.
///
/// The choice itself has no gradient (Li et al. 2024, "VB-LoRA", section 3.2).
/// - Parameters:
///   - logits: `[rows, vectors]`.
///   - bank: `[vectors, columns]`.
///   - count: the number of vectors that a row is made of.
/// - Returns: `[rows, columns]`.
public func mixRows(_ logits: Tensor, _ bank: Tensor, count: Int) -> Tensor {
  let (rows, columns) = (logits.shape.rows, bank.shape.columns)
  precondition(logits.shape.columns == bank.shape.rows && (1...bank.shape.rows).contains(count), "\(count) of \(logits.shape) over \(bank.shape)")
  let choice = RowChoice(logits, count: count)
  let out = Tensor(repeating: 0, shape: [rows, columns])
  let (o, vectors) = (out.mutablePointer, bank.pointer)
  parallel(over: rows, grain: rowGrain(columns: columns * count)) { part in
    for entry in part.lowerBound * count..<part.upperBound * count {
      add(choice.weights[entry], vectors + Int(choice.indices[entry]) * columns, to: o + entry / count * columns, columns)
    }
  }
  let (logit, vector) = (logits.slot, bank.slot)
  let saved = Saved(bank)
  return recorded("mixRows", out, from: logit, vector) { gradient, tape in
    let bank = saved.tensor
    let vectors = bank.pointer
    tape.accumulateZeroed(into: logit) { total in
      let width = logit.shape.columns
      for row in 0..<rows {
        let slopes = (row * count..<(row + 1) * count).map { entry in
          dot(gradient.pointer + row * columns, vectors + Int(choice.indices[entry]) * columns, columns)
        }
        let mean = zip(slopes, choice.weights[row * count..<(row + 1) * count]).reduce(0) { $0 + $1.0 * $1.1 }
        for (place, slope) in slopes.enumerated() {
          let entry = row * count + place
          total[row * width + Int(choice.indices[entry])] += choice.weights[entry] * (slope - mean)
        }
      }
    }
    tape.accumulateZeroed(into: vector) { total in
      for entry in choice.indices.indices {
        add(choice.weights[entry], gradient.pointer + entry / count * columns, to: total + Int(choice.indices[entry]) * columns, columns)
      }
    }
  }
}

/// The few largest logits of every row and their softmax.
public struct RowChoice: Sendable {
  /// The columns of each row's largest logits, largest first; of equal ones the first comes first.
  public let indices: [Int32]
  /// Their softmax: what is not chosen has no part in it.
  public let weights: [Float]

  /// - Parameters:
  ///   - logits: `[rows, columns]`.
  ///   - count: the number of logits of each row.
  public init(_ logits: Tensor, count: Int) {
    var indices: [Int32] = []
    var weights: [Float] = []
    logits.withElements { values in
      let columns = logits.shape.columns
      for row in 0..<logits.shape.rows {
        var best: [(column: Int, value: Float)] = []
        for column in 0..<columns {
          let value = values[row * columns + column]
          if best.count == count, let last = best.last, value <= last.value || value.isNaN { continue }
          best.insert((column, value), at: best.firstIndex { $0.value < value } ?? best.endIndex)
          if best.count > count { best.removeLast() }
        }
        let powers = best.map { exp($0.value - best[0].value) }
        let sum = powers.reduce(0, +)
        indices += best.map { Int32($0.column) }
        weights += powers.map { $0 / sum }
      }
    }
    self.indices = indices
    self.weights = weights
  }
}

private func add(_ factor: Float, _ row: UnsafePointer<Float>, to total: UnsafeMutablePointer<Float>, _ count: Int) {
  for index in 0..<count { total[index] += factor * row[index] }
}

private func dot(_ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>, _ count: Int) -> Float {
  (0..<count).reduce(0) { $0 + a[$1] * b[$1] }
}

let rowMixtureSpecimens: [OperationSpecimen] = [
  OperationSpecimen("mixRows", .init("logits", [5, 6], in: -0.2..<0.2), .init("bank", [6, 4])) { inputs in
    // Logits that lie apart: a step from one choice to another has no gradient.
    let distances = (0..<30).map { place -> Float in
      let step = place / 6 * 7 + place % 6 * 5
      return Float(step % 6) / 2
    }
    let apart = Tensor(distances, [5, 6])
    return mixRows(inputs[0] + apart, inputs[1], count: 3)
  }
]
