import GraftLayers
import GraftTensors

/// Matrix shards: the input's stretches of length `r` are added up and meet one trained matrix, `y = W x + b + D Σ xₙ`.
///
/// Kang 2025, "MiSS"; its form `bat` (Kang 2024, "Bone") makes of every block of the weight `W B + B`, and `mini` repeats a narrower `D`.
public struct MiSS: LayerTargetedMethod {
  public static let name = "MISS"
  public static let defaultLearningRate = 5e-4
  public static let card = MethodCard(
    title: "MiSS (Bone)", formula: "`W x + b + D Σ xₙ` over stretches of length `r`", parameters: "`r out` a target",
    seam: "linear layers", source: "Kang 2025")

  package var r = 64
  package var missDropout = 0.0
  /// The width of `D`, for `mini`.
  package var miniR = 1
  public var targetKeys = TargetKeys()
  package var initWeights = ShardForm.plain
  package var bias = BiasTraining.none

  public init() {}

  public func attach(to sites: SiteCatalog, in attachment: Attachment) throws {
    guard r > 0 else { throw TuningError("r: is \(r); a rank is at least 1") }
    guard (0..<1).contains(missDropout) else { throw TuningError("miss_dropout: is \(missDropout); it must be at least 0 and below 1") }
    let layers = try targets.linears(in: sites, for: attachment)
    for layer in layers {
      let (inputs, outputs) = (layer.inputSize, layer.outputSize)
      guard r <= inputs else { throw TuningError("r: is \(r); \(layer.path) has \(inputs) inputs") }
      let scope = attachment.scope / layer.path
      switch initWeights {
      case .bat:
        guard inputs % r == 0, outputs % r == 0 else { throw TuningError("r: is \(r), which does not divide \(layer.path) [\(outputs), \(inputs)]") }
        try attachment.fill(layer, with: BlockAffineAdapter(try scope.parameter("miss_block", [outputs / r, r, r], .zeros)))
      case .plain, .random, .mini:
        let width = initWeights == .mini ? miniR : outputs
        guard width > 0, outputs % width == 0 else {
          throw TuningError("mini_r: is \(miniR), which does not divide the \(outputs) outputs of \(layer.path)")
        }
        let shard = try scope.parameter(
          "miss_block", [r, width], initWeights == .random ? .uniform(bound: 1 / Float(width).squareRoot()) : .zeros)
        try attachment.fill(layer, with: ShardAdapter(shard, inputs: inputs, outputs: outputs, dropout: Float(missDropout)))
      }
    }
    try attachment.adoptBiases(bias, of: sites, targets: layers, saved: modulesToSave ?? [])
    try attachment.adoptModules(modulesToSave ?? [], of: sites)
  }
}

/// The forms of shards, which PEFT's `init_weights` chooses.
package enum ShardForm: Codable, Sendable, Hashable {
  /// One matrix for all stretches of the input, zero at first or drawn.
  case plain, random
  /// A matrix for each stretch of the outputs, multiplied into the weight.
  case bat
  /// A narrow matrix that is repeated.
  case mini

  package init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    if let isDefault = try? container.decode(Bool.self) {
      self = isDefault ? .plain : .random
      return
    }
    switch try container.decode(String.self) {
    case "bat": self = .bat
    case "mini": self = .mini
    default: throw DecodingError.dataCorruptedError(in: container, debugDescription: "unknown form; use true, false, bat or mini")
    }
  }

  package func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    switch self {
    case .plain: try container.encode(true)
    case .random: try container.encode(false)
    case .bat: try container.encode("bat")
    case .mini: try container.encode("mini")
    }
  }
}

/// `[rows, columns]` of ones where a column's number is a row's, counted anew after as many as there are rows.
private func repeatedIdentity(_ rows: Int, _ columns: Int) -> Tensor {
  Tensor((0..<rows * columns).map { $0 % columns % rows == $0 / columns ? 1 : 0 }, [rows, columns])
}

/// The sum of the input's stretches through one matrix.
private final class ShardAdapter: AdditiveAdapter {
  /// `[r, width]`.
  let shard: Parameter
  let dropout: Float
  /// `[r, in]`, which adds stretches up, and `[width, out]`, which repeats columns; nil where there is nothing to repeat.
  private let sum: Tensor, repetition: Tensor?

  init(_ shard: Parameter, inputs: Int, outputs: Int, dropout: Float) {
    (self.shard, self.dropout) = (shard, dropout)
    sum = repeatedIdentity(shard.shape[0], inputs)
    repetition = shard.shape[1] == outputs ? nil : repeatedIdentity(shard.shape[1], outputs)
  }

  func change(_ x: Tensor, addingTo base: consuming Tensor, _ pass: Pass) -> Tensor {
    let matrix = repetition.map { matrixProduct(shard.operand, $0) } ?? shard.operand
    return linear(linear(pass.dropout(x, dropout, at: shard.path), sum), matrix, layout: .inputByOutput, addingTo: base)
  }
}

/// Blocks of the weight, each `W B + B` with the `B` of its rows.
private final class BlockAffineAdapter: WeightChange {
  /// `[out / r, r, r]`.
  let blocks: Parameter

  init(_ blocks: Parameter) { self.blocks = blocks }

  func change(of weight: @autoclosure () -> Tensor) -> Tensor {
    let (weight, size) = (weight(), blocks.shape[1])
    let inputs = weight.shape.columns
    let all = blocks.operand.reshaped(to: [blocks.shape[0] * size, size])
    let identity = repeatedIdentity(size, inputs)
    return concatenateRows(
      (0..<blocks.shape[0]).map { index in
        let rows = index * size..<(index + 1) * size
        let block = all.rows(rows)
        let product = matrixProduct(weight.rows(rows).reshaped(to: [inputs, size]), block)
        return product.reshaped(to: [size, inputs]) + matrixProduct(block, identity)
      })
  }
}
