import GraftConfiguration
import GraftLayers
import GraftTensors

/// A part of the weight taken out and another put in its place: `W' = W - Q Pᵀ W + s Q R`, with `Q` and `P` made of one trained matrix.
///
/// "DEFT: decompositional efficient fine-tuning for text-to-image models" (Kumar et al. 2025): the weight loses what `Q` spans and gets
/// `R` there, which starts as what is lost. `P` is `Q` without its negative elements, or both are an orthonormal basis.
public struct DEFT: LayerTargetedMethod {
  public static let name = "DEFT"
  public static let defaultLearningRate = 1e-3
  public static let card = MethodCard(
    title: "DEFT", formula: "`(W - Q Pᵀ W + s Q R) x + b`, `P` of `Q`", parameters: "`r (in + out)` a target",
    seam: "linear layers", source: "Kumar et al. 2025")

  /// The makings of `Q` and `P`: the matrix and its positive part, or an orthonormal basis of its columns.
  package enum Decomposition: String, ConfigChoice { case relu, qr }

  package var r = 8
  public var targetKeys = TargetKeys()
  package var decompositionMethod = Decomposition.relu
  package var initScale = 1.0
  /// `s` is this over `r`; 1 where nil.
  package var alpha: Double?
  /// True where nothing is put in the place of what is taken out.
  package var para = false
  package var deftDropout = 0.0
  package var initWeights = true
  package var bias = BiasTraining.none

  public init() {}

  public func attach(to sites: SiteCatalog, in attachment: Attachment) throws {
    guard r > 0 else { throw TuningError("r: is \(r); a rank is at least 1") }
    guard (0..<1).contains(deftDropout) else { throw TuningError("deft_dropout: is \(deftDropout); it must be at least 0 and below 1") }
    let layers = try targets.linears(in: sites, for: attachment)
    for layer in layers {
      let rank = min(r, layer.outputSize)
      let scope = attachment.scope / layer.path
      let basis = try scope.parameter("deft_P", [layer.outputSize, rank], .normal(standardDeviation: 0.02))
      let scale = alpha.map { $0 == 0 ? 1 : Float($0 / Double(rank)) } ?? 1
      let replacement =
        para
        ? nil : try scope.parameter("deft_R", [rank, layer.inputSize], .normal(standardDeviation: 0.02 * Float(initScale)))
      let adapter = ReplacedPart(basis, replacement, decompositionMethod, scale: scale, dropout: Float(deftDropout))
      if let replacement, initWeights, !attachment.isLoading { replacement.assign(1 / scale * adapter.taken(from: layer.matrix)) }
      try attachment.fill(layer, with: adapter)
    }
    try attachment.adoptBiases(bias, of: sites, targets: layers, saved: modulesToSave ?? [])
    try attachment.adoptModules(modulesToSave ?? [], of: sites)
  }
}

/// A layer that does without a part of its weight, and has another for it.
private final class ReplacedPart: LinearAdapter {
  /// `[out, r]`, and `[r, in]` or nil.
  let basis: Parameter, replacement: Parameter?
  let method: DEFT.Decomposition
  let scale: Float, dropout: Float

  init(_ basis: Parameter, _ replacement: Parameter?, _ method: DEFT.Decomposition, scale: Float, dropout: Float) {
    (self.basis, self.replacement, self.method, self.scale, self.dropout) = (basis, replacement, method, scale, dropout)
  }

  /// `Qᵀ` and `Pᵀ`, each `[r, out]`.
  private var rows: (q: Tensor, p: Tensor) {
    let rows = basis.operand.transposed
    guard method == .qr else { return (rows, activate(rows, .relu)) }
    let basis = scaleRows(orthogonalRows(of: rows), by: householderSigns(of: basis.value))
    return (basis, basis)
  }

  /// `Pᵀ W [r, in]`.
  func taken(from weight: Tensor) -> Tensor { matrixProduct(rows.p, weight) }

  func callAsFunction(_ x: Tensor, through base: Linear, _ pass: Pass) -> Tensor {
    let (q, p) = rows
    let product = base.product(x)
    var inner = linear(product, p, scale: -1)
    if let replacement { inner = linear(pass.dropout(x, dropout, at: basis.path), replacement.operand, scale: scale, addingTo: consume inner) }
    let y = linear(inner, q, layout: .inputByOutput, addingTo: product)
    return base.bias.map { addRow(y, $0.operand) } ?? y
  }

  func merge(into base: Linear) throws(TuningError) {
    try base.merge { weight in
      let lost = -1 * taken(from: weight)
      let change = replacement.map { lost + scale * $0.value } ?? lost
      return weight + matrixProduct(rows.q.transposed, change)
    }
  }
}

/// The signs `[r, 1]` with which Householder's reflections give the orthonormal columns of a matrix `[n, r]`, as LAPACK does, which makes every
/// diagonal element of `R` the opposite of the one that it was made from.
private func householderSigns(of matrix: Tensor) -> Tensor {
  let (rows, columns) = (matrix.shape[0], matrix.shape[1])
  var a = matrix.values.map(Double.init)
  let signs = (0..<columns).map { pivot -> Float in
    func dot(_ column: Int, _ other: Int) -> Double { (pivot..<rows).reduce(0) { $0 + a[$1 * columns + column] * a[$1 * columns + other] } }
    // The last row of a square matrix is not reflected.
    guard pivot < rows - 1 else { return a[pivot * columns + pivot] < 0 ? -1 : 1 }
    let isNegative = a[pivot * columns + pivot] < 0
    a[pivot * columns + pivot] += (isNegative ? -1 : 1) * dot(pivot, pivot).squareRoot()
    let square = dot(pivot, pivot)
    for column in pivot + 1..<max(columns, pivot + 1) where square > 0 {
      let factor = 2 * dot(pivot, column) / square
      for row in pivot..<rows { a[row * columns + column] -= factor * a[row * columns + pivot] }
    }
    return isNegative ? 1 : -1
  }
  return Tensor(signs, [columns, 1])
}
