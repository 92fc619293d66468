import GraftConfiguration
import GraftLayers
import GraftTensors

/// Householder reflections of a layer's input: `y = W H₁ ... Hᵣ x + b`, with `Hᵢ = I - 2 uᵢ uᵢᵀ` for unit vectors `uᵢ`.
///
/// Yuan et al. 2024, "Bridging the gap between low-rank and orthogonal adaptation via Householder reflection adaptation". The vectors
/// start in equal pairs, whose reflections undo each other; made orthogonal (`apply_GS`) they reflect at once.
public struct HRA: LayerTargetedMethod, SpelledKeys {
  public static let name = "HRA"
  public static let defaultLearningRate = 1e-3
  public static let card = MethodCard(
    title: "HRA", formula: "`W H₁ ... Hᵣ x + b`, `H` reflections", parameters: "`r in` a target", seam: "linear layers", source: "Yuan et al. 2024")

  package var r = 8
  package var appliesGramSchmidt = false
  public var targetKeys = TargetKeys()
  package var initWeights = true
  package var bias = BiasTraining.none

  public init() {}

  public static let keySpellings = ["appliesGramSchmidt": "apply_GS"]

  public func attach(to sites: SiteCatalog, in attachment: Attachment) throws {
    guard r > 0 else { throw TuningError("r: is \(r); a rank is at least 1") }
    let layers = try targets.linears(in: sites, for: attachment)
    for layer in layers {
      guard !appliesGramSchmidt || r <= layer.inputSize else {
        throw TuningError("r: is \(r); \(layer.path) has \(layer.inputSize) inputs, and so many orthogonal vectors at most")
      }
      let isPaired = initWeights && r % 2 == 0
      let vectors = try (attachment.scope / layer.path).parameter(
        "hra_u", [layer.inputSize, r], .uniform(bound: 1 / Float(isPaired ? r / 2 : r).squareRoot()))
      if isPaired, !attachment.isLoading {
        let values = vectors.value.values
        vectors.assign(Tensor(values.indices.map { values[$0 - $0 % r + $0 % r / 2 * 2] }, vectors.shape))
      }
      try attachment.fill(layer, with: ReflectedInput(vectors, isOrthogonalized: appliesGramSchmidt))
    }
    try attachment.adoptBiases(bias, of: sites, targets: layers, saved: modulesToSave ?? [])
    try attachment.adoptModules(modulesToSave ?? [], of: sites)
  }
}

/// A layer whose input is reflected.
private final class ReflectedInput: InputRotation {
  /// `[in, r]`.
  let vectors: Parameter
  let isOrthogonalized: Bool

  init(_ vectors: Parameter, isOrthogonalized: Bool) { (self.vectors, self.isOrthogonalized) = (vectors, isOrthogonalized) }

  /// `x Hᵣ ... H₁`.
  func rotated(_ x: Tensor) -> Tensor {
    let units = unitRows(vectors.operand.transposed)
    guard !isOrthogonalized else { return reflected(x, orthogonalRows(of: units)) }
    return (0..<units.shape.rows).reversed().reduce(x) { reflected($0, units.rows($1..<$1 + 1)) }
  }

  /// `x - 2 (x u) uᵀ` for rows `u`.
  private func reflected(_ x: Tensor, _ rows: Tensor) -> Tensor {
    linear(linear(x, rows), rows, layout: .inputByOutput, scale: -2, addingTo: x)
  }
}

/// Gram's and Schmidt's orthogonalisation: every row without its part along those before it, at unit length.
func orthogonalRows(of rows: Tensor) -> Tensor {
  var basis: [Tensor] = []
  for index in 0..<rows.shape.rows {
    let row = basis.reduce(rows.rows(index..<index + 1)) { linear(linear($0, $1), $1, layout: .inputByOutput, scale: -1, addingTo: $0) }
    basis.append(unitRows(row))
  }
  return concatenateRows(basis)
}
