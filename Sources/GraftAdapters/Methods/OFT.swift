import GraftLayers
import GraftTensors

/// Orthogonal fine-tuning: the input of a layer is rotated, block by block, `y = W (x R) + b`.
///
/// Qiu et al. 2023, "Controlling text-to-image diffusion by orthogonal finetuning", in the input-side form of "OFTv2"
/// (Qiu et al. 2025): `R` is the Cayley transform of a skew-symmetric matrix, or a Neumann series of it.
public struct OFT: LayerTargetedMethod {
  public static let name = "OFT"
  public static let defaultLearningRate = 1e-3
  public static let card = MethodCard(
    title: "OFT", formula: "`W R x + b`, `R` a rotation in blocks of size `n`", parameters: "`in (n - 1) / 2` a target",
    seam: "linear layers", source: "Qiu et al. 2023")

  /// The number of blocks; 0 where their size is given.
  package var r = 0
  /// 0 where the number of blocks is given.
  package var oftBlockSize = 32
  package var moduleDropout = 0.0
  public var targetKeys = TargetKeys()
  package var bias = BiasTraining.none
  package var initWeights = true
  package var coft = false
  package var eps = 6e-5
  /// True where all blocks rotate alike.
  package var blockShare = false
  package var useCayleyNeumann = true
  package var numCayleyNeumannTerms = 5

  public init() {}

  public func attach(to sites: SiteCatalog, in attachment: Attachment) throws {
    try requireNone(moduleDropout, "module_dropout")
    guard !coft else { throw TuningError("coft: is true; only false is supported") }
    guard (r > 0) != (oftBlockSize > 0) else {
      throw TuningError("oft_block_size: is \(oftBlockSize) and r is \(r); one of them must be positive and the other 0")
    }
    let layers = try targets.linears(in: sites, for: attachment)
    for layer in layers {
      let inputs = layer.inputSize
      let size = oftBlockSize > 0 ? Self.divisor(of: inputs, near: oftBlockSize) : inputs / Self.divisor(of: inputs, near: r)
      let angles = try (attachment.scope / layer.path / "oft_R").parameter(
        "weight", [blockShare ? 1 : inputs / size, size * (size - 1) / 2], initWeights ? .zeros : .normal(standardDeviation: 0.1))
      let series: CayleySeries = useCayleyNeumann ? .neumann(terms: numCayleyNeumannTerms) : .exact
      try attachment.fill(layer, with: RotatedInput(angles, size: size, series: series))
    }
    try attachment.adoptBiases(bias, of: sites, targets: layers, saved: modulesToSave ?? [])
    try attachment.adoptModules(modulesToSave ?? [], of: sites)
  }

  /// The divisor of `size` that is nearest to `wanted`, the smaller of two.
  static func divisor(of size: Int, near wanted: Int) -> Int {
    (1...size).filter { size % $0 == 0 }.min { abs($0 - wanted) < abs($1 - wanted) } ?? size
  }
}

/// A layer whose input is rotated.
private final class RotatedInput: InputRotation {
  /// `[blocks, size * (size - 1) / 2]`, the upper triangles of skew-symmetric matrices.
  let angles: Parameter
  let size: Int
  let series: CayleySeries

  init(_ angles: Parameter, size: Int, series: CayleySeries) { (self.angles, self.size, self.series) = (angles, size, series) }

  func rotated(_ x: Tensor) -> Tensor { multiplyBlocks(x, cayleyTransform(angles.operand, size: size, series)) }
}
