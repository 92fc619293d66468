import GraftLayers
import GraftTensors

/// A trained share of what a part adds, for each sequence: the mean of `σ(g · x + c)` over its tokens.
///
/// Mao et al. 2022, "UniPELT", section 2.2. Through a cache the mean is over the tokens that are computed together.
struct SequenceGate {
  /// `[gates, hidden]` and `[gates]`.
  let weight: Parameter, bias: Parameter

  /// The gates whose weights are called `weight` and `bias` in `scope`.
  init(_ scope: Scope, width: Int, count: Int = 1, startsUnbiased: Bool = false) throws {
    weight = try scope.parameter("weight", [count, width], .normal(standardDeviation: 0.02))
    bias = try scope.parameter("bias", [count], startsUnbiased ? .zeros : .uniform(bound: 1 / Float(width).squareRoot()))
  }

  /// Returns the shares, `[sequences, gates]`.
  func shares(of x: Tensor, _ pass: Pass) -> Tensor {
    let rows = x.shape.rows
    let sequences = pass.sequences.isEmpty ? [0..<rows] : pass.sequences
    var means = [Float](repeating: 0, count: sequences.count * rows)
    for (index, range) in sequences.enumerated() {
      for row in range { means[index * rows + row] = 1 / Float(range.count) }
    }
    return matrixProduct(Tensor(means, [sequences.count, rows]), activate(linear(x, weight.operand, bias: bias.operand), .sigmoid))
  }

  /// Returns `y [rows, columns]` with each sequence's rows times its share.
  func callAsFunction(_ y: Tensor, reading x: Tensor, _ pass: Pass) -> Tensor {
    var indices = [Int32](repeating: 0, count: y.shape.rows)
    for (index, range) in pass.sequences.enumerated() {
      for row in range { indices[row] = Int32(index) }
    }
    return scaleRows(y, by: gatherRows(shares(of: x, pass), Tensor(indices)))
  }
}
