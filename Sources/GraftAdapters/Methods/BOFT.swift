import GraftLayers
import GraftTensors

/// Orthogonal fine-tuning with a scale of the outputs: `y = s * (W (x R)) + b`, `R` a rotation in blocks.
///
/// Liu et al. 2024, "Parameter-efficient orthogonal finetuning via butterfly factorization", with one butterfly factor: `R` is the
/// Cayley transform of the skew-symmetric part of trained blocks.
public struct BOFT: LayerTargetedMethod {
  public static let name = "BOFT"
  public static let defaultLearningRate = 1e-3
  public static let card = MethodCard(
    title: "BOFT", formula: "`s * (W R x) + b`, `R` a rotation in blocks of size `n`", parameters: "`n in + out` a target",
    seam: "linear layers", source: "Liu et al. 2024")

  /// The size of blocks; 0 where their number is given.
  package var boftBlockSize = 4
  /// 0 where the size of blocks is given.
  package var boftBlockNum = 0
  package var boftNButterflyFactor = 1
  public var targetKeys = TargetKeys()
  package var boftDropout = 0.0
  package var bias = BiasTraining.none
  package var initWeights = true

  public init() {}

  public func attach(to sites: SiteCatalog, in attachment: Attachment) throws {
    try requireNone(boftDropout, "boft_dropout")
    guard boftNButterflyFactor == 1 else {
      throw TuningError("boft_n_butterfly_factor: is \(boftNButterflyFactor); only 1 is supported, as in PEFT without its CUDA extension")
    }
    guard (boftBlockSize > 0) != (boftBlockNum > 0) else {
      throw TuningError("boft_block_size: is \(boftBlockSize) and boft_block_num is \(boftBlockNum); one of them must be positive and the other 0")
    }
    let layers = try targets.linears(in: sites, for: attachment)
    for layer in layers {
      let inputs = layer.inputSize
      let (key, given) = boftBlockSize > 0 ? ("boft_block_size", boftBlockSize) : ("boft_block_num", boftBlockNum)
      guard inputs % given == 0 else { throw TuningError("\(key): is \(given), which does not divide the \(inputs) inputs of \(layer.path)") }
      let size = boftBlockSize > 0 ? boftBlockSize : inputs / boftBlockNum
      let scope = attachment.scope / layer.path
      let blocks = try scope.parameter("boft_R", [1, inputs / size, size, size], initWeights ? .zeros : .normal(standardDeviation: 0.1))
      let scales = try scope.parameter("boft_s", [layer.outputSize, 1], .ones)
      try attachment.fill(layer, with: ScaledRotation(blocks, scales: scales, size: size))
    }
    try attachment.adoptBiases(bias, of: sites, targets: layers, saved: modulesToSave ?? [])
    try attachment.adoptModules(modulesToSave ?? [], of: sites)
  }
}

/// A layer whose input is rotated and whose outputs are scaled.
private final class ScaledRotation: LinearAdapter {
  /// `[1, in / size, size, size]`, of which the skew-symmetric parts count.
  let blocks: Parameter
  /// `[out, 1]`.
  let scales: Parameter
  let size: Int

  init(_ blocks: Parameter, scales: Parameter, size: Int) { (self.blocks, self.scales, self.size) = (blocks, scales, size) }

  private func rotated(_ x: Tensor) -> Tensor {
    multiplyBlocks(x, cayleyTransform(skewAngles(of: blocks.operand, size: size), size: size, .exact))
  }

  func callAsFunction(_ x: Tensor, through base: Linear, _ pass: Pass) -> Tensor {
    let y = scaleColumns(base.product(rotated(x)), by: scales.operand.reshaped(to: [base.outputSize]))
    return base.bias.map { addRow(y, $0.operand) } ?? y
  }

  func merge(into base: Linear) throws(TuningError) {
    try base.merge { scaleRows(matrixProduct($0, rotated(.identity(base.inputSize)), transposingSecond: true), by: scales.value) }
  }
}

/// The upper triangles `[n, size * (size - 1) / 2]` of the skew-symmetric parts `(R - Rᵀ) / 2` of square blocks.
private func skewAngles(of blocks: Tensor, size: Int) -> Tensor {
  let (count, width) = (blocks.elementCount / (size * size), size * (size - 1) / 2)
  /// Visits every angle with the two elements that it is half the difference of.
  func visit(_ body: (_ angle: Int, _ element: Int, _ mirrored: Int) -> Void) {
    for block in 0..<count {
      var angle = block * width
      for row in 0..<size {
        for column in row + 1..<max(size, row + 1) {
          body(angle, (block * size + row) * size + column, (block * size + column) * size + row)
          angle += 1
        }
      }
    }
  }
  return customOperation("skewAngles", of: [blocks]) { inputs in
    inputs[0].withElements { elements in
      Tensor([count, width]) { angles in visit { angles[$0] = (elements[$1] - elements[$2]) / 2 } }
    }
  } pullback: { gradient, inputs, _ in
    let result = gradient.withElements { slopes in
      Tensor(inputs[0].shape) { total in
        visit {
          total[$1] = slopes[$0] / 2
          total[$2] = -slopes[$0] / 2
        }
      }
    }
    return [result]
  }
}
