import GraftLayers
import GraftTensors

/// One adapter's part of a composition at one place.
struct ComposedPart {
  /// The adapter's number.
  let index: Int
  let part: BottleneckPart
  let input: BottleneckResidual.Input
}

/// A half's output and the residual, joined by the composition of several bottlenecks.
final class ComposedResidual: ResidualAdapter {
  private let parts: [ComposedPart]
  private let kind: AdapterComposition.Kind
  private let weights: [Float]
  private let splits: [Int]
  private let fusion: FusionLayer?

  init(_ parts: [ComposedPart], of method: AdapterComposition, count: Int, fusion: FusionLayer?) {
    (self.parts, kind, splits, self.fusion) = (parts, method.composition, method.splits, fusion)
    let given = method.weights.isEmpty ? [Double](repeating: 1, count: count) : method.weights
    let total = given.reduce(0, +)
    weights = given.map { Float(total == 0 ? $0 : $0 / total) }
  }

  func callAsFunction(_ y: Tensor, joining residual: Tensor, _ pass: Pass) -> Tensor {
    guard kind != .stack else {
      // Each reads, and is added to, all that those before it left.
      return residual + parts.reduce(y) { $0 + added(by: $1, to: $0, residual, pass) }
    }
    let sum = residual + y
    if let fusion {
      guard let last = parts.last else { return sum }
      return sum + fusion(read(by: last, y, residual), parts.map { added(by: $0, to: y, residual, pass) }, pass)
    }
    return parts.reduce(sum) { total, part in
      let found = added(by: part, to: y, residual, pass)
      return total + (kind == .average ? weights[part.index] * found : scaleRows(found, by: shares(of: part.index, rows: y.shape.rows, pass)))
    }
  }

  private func added(by part: ComposedPart, to y: Tensor, _ residual: Tensor, _ pass: Pass) -> Tensor {
    part.part(read(by: part, y, residual), pass) ?? .zeros(y.shape)
  }

  private func read(by part: ComposedPart, _ y: Tensor, _ residual: Tensor) -> Tensor {
    switch part.input {
    case .output: y
    case .residual: residual
    case .sum(let norm): norm?(residual + y) ?? residual + y
    }
  }

  /// One for the rows that an adapter is for, zero for others: tokens of each sequence, or whole sequences.
  private func shares(of index: Int, rows count: Int, _ pass: Pass) -> Tensor {
    let first = splits.prefix(index).reduce(0, +)
    let end = index + 1 == splits.count ? Int.max : first + splits[index]
    var factors = [Float](repeating: 0, count: count)
    for (sequence, rows) in pass.sequences.enumerated() {
      let earlier = pass.state?.lengths[sequence] ?? 0
      for row in rows {
        let number = kind == .split ? earlier + row - rows.lowerBound : sequence
        if number >= first, number < end { factors[row] = 1 }
      }
    }
    return Tensor(factors, [count, 1])
  }
}
