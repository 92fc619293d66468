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
  /// The columns of each row's largest logits, largest first.
  public let indices: [Int32]
  /// Their softmax: what is not chosen has no part in it.
  public let weights: [Float]

  /// - Parameters:
  ///   - logits: `[rows, columns]`.
  ///   - count: the number of logits of each row.
  public init(_ logits: Tensor, count: Int) {
    let columns = logits.shape.columns
    let indices = largestColumns(logits, count)
    self.indices = indices
    weights = logits.withElements { values in
      (0..<logits.shape.rows).flatMap { row in
        let chosen = indices[row * count..<(row + 1) * count].map { values[row * columns + Int($0)] }
        let powers = chosen.map { exp($0 - chosen[0]) }
        let sum = powers.reduce(0, +)
        return powers.map { $0 / sum }
      }
    }
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
