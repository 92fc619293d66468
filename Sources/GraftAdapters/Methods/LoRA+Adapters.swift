import GraftLayers
import GraftTensors

/// The two factors beside a linear layer.
struct LowRankFactors {
  /// `[r, in]` and `[out, r]`.
  let a: Parameter, b: Parameter
  /// `[out]`.
  let bias: Parameter?
  let scale: Float, dropout: Float
  /// The part of the weight that the factors started as, where the weight is to do without it.
  var removed: LowRankPart?

  /// `base + s (B A x + bias)`.
  func callAsFunction(_ x: Tensor, _ pass: Pass, addingTo base: consuming Tensor) -> Tensor {
    var sum = base
    if let removed { sum = linear(linear(x, removed.a), removed.b, scale: -scale, addingTo: consume sum) }
    sum = linear(linear(pass.dropout(x, dropout, at: a.path), a.operand), b.operand, scale: scale, addingTo: consume sum)
    return bias.map { addRow(sum, scale * $0.operand) } ?? sum
  }

  /// `W + s B A`, without what is removed.
  func added(to weight: Tensor) -> Tensor {
    let rest = removed.map { linear($0.b, $0.a, layout: .inputByOutput, scale: -scale, addingTo: weight) } ?? weight
    return linear(b.value, a.value, layout: .inputByOutput, scale: scale, addingTo: rest)
  }
}

/// `W x + b + s B A x`.
final class LowRankAdapter: LinearAdapter {
  let factors: LowRankFactors

  init(_ factors: LowRankFactors) { self.factors = factors }

  func callAsFunction(_ x: Tensor, through base: Linear, _ pass: Pass) -> Tensor { factors(x, pass, addingTo: base.plain(x)) }

  var lowRankTerm: LowRankTerm? {
    guard factors.bias == nil, factors.removed == nil else { return nil }
    return LowRankTerm(a: factors.a.operand, b: factors.b.operand, scale: factors.scale, dropout: factors.dropout)
  }

  func merge(into base: Linear) throws(TuningError) {
    try base.merge { factors.added(to: $0) }
    try base.merge(bias: factors.bias.map { factors.scale * $0.value })
  }
}

/// `(m / n) (W x + s B A x) + b`, with `n` the lengths of the rows of `W + s B A`, through which no gradient goes
/// (Liu et al. 2024, "DoRA", eq. 5 and section 4.3).
final class WeightDecomposedAdapter: LinearAdapter {
  let factors: LowRankFactors
  /// `[out]`.
  let magnitude: Parameter
  /// The lengths of the rows of `W`, which is frozen.
  private var baseSquares: [Double]?
  /// The lengths of the rows for values of the factors, which an optimizer copies before it changes what is held here.
  private var known: (a: Tensor, b: Tensor, norms: Tensor)?

  init(_ factors: LowRankFactors, magnitude: Parameter) {
    (self.factors, self.magnitude) = (factors, magnitude)
  }

  func callAsFunction(_ x: Tensor, through base: Linear, _ pass: Pass) -> Tensor {
    let directed = factors(x, pass, addingTo: linear(x, base.weight.matrix, layout: base.layout))
    let ratio = magnitude.operand * reciprocal(rowNorms(of: base))
    let y = scaleColumns(directed, by: ratio)
    return base.bias.map { addRow(y, $0.operand) } ?? y
  }

  /// The lengths of the rows of `W + s B A`, without making that matrix:
  /// `|W|^2 + 2 s B (W A^T) + s^2 B (A A^T) B^T`, row by row.
  /// - Returns: `[out]`.
  func rowNorms(of base: Linear) -> Tensor {
    let a = factors.a.value
    let b = factors.b.value
    if let known, known.a.storage === a.storage, known.b.storage === b.storage { return known.norms }
    let outputs = base.outputSize
    let rank = a.shape[0]
    let scale = Double(factors.scale)
    let squares = baseSquares ?? squaredRows(of: base)
    baseSquares = squares
    let crossed = linear(a, base.weight.stored, layout: base.layout).values
    let gram = matrixProduct(a, a, transposingSecond: true).values
    let columns = b.values
    let norms = (0..<outputs).map { row -> Float in
      var square = squares[row]
      for first in 0..<rank {
        let weight = scale * Double(columns[row * rank + first])
        square += 2 * weight * Double(crossed[first * outputs + row])
        for second in 0..<rank { square += weight * scale * Double(columns[row * rank + second]) * Double(gram[first * rank + second]) }
      }
      return Float(max(square, 0).squareRoot())
    }
    let result = Tensor(norms)
    known = Tape.current == nil ? (a, b, result) : nil
    return result
  }

  private func squaredRows(of base: Linear) -> [Double] {
    let weight = base.weight.dense()
    let rows = base.layout == .outputByInput ? weight : weight.transposed
    return (0..<base.outputSize).map { rows.rows($0..<$0 + 1).sumOfSquares }
  }

  private func reciprocal(_ norms: Tensor) -> Tensor { Tensor(norms.values.map { 1 / $0 }) }

  func merge(into base: Linear) throws(TuningError) {
    let ratio = magnitude.value * reciprocal(rowNorms(of: base))
    try base.merge { scaleColumns(factors.added(to: $0).transposed, by: ratio).transposed }
  }
}
