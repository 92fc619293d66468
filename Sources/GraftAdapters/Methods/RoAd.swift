import Foundation
import GraftConfiguration
import GraftLayers
import GraftTensors

/// Rotations of a layer's outputs in pairs, each stretched too: `y = α cos θ * h + α sin θ * h⊥` for `h = W x + b`.
///
/// Liao and Monz 2024, "3-in-1: 2D rotary adaptation for efficient finetuning, efficient batching and composability". The outputs stand in
/// groups, of which each element of the first half makes a pair with one of the second; the variants have one, two or four numbers a pair.
public struct RoAd: TargetedMethod {
  public static let name = "ROAD"
  public static let defaultLearningRate = 1e-3
  public static let card = MethodCard(
    title: "RoAd", formula: "`R (W x + b)`, `R` turns and stretches pairs of outputs", parameters: "`out`, `2 out` or `4 out` a target",
    seam: "linear layers", source: "Liao and Monz 2024")

  /// The numbers of angles and lengths: one of each for a pair, for an output, or two for an output.
  package enum Variant: String, ConfigChoice {
    case road1 = "road_1"
    case road2 = "road_2"
    case road4 = "road_4"
  }

  package var variant = Variant.road1
  /// The size of groups, which divides the outputs of every target.
  package var groupSize = 64
  package var initWeights = true
  public var targetModules: ModuleSelection?
  public var modulesToSave: [String]?

  public init() {}

  public func attach(to sites: SiteCatalog, in attachment: Attachment) throws {
    guard groupSize > 0, groupSize % 2 == 0 else { throw TuningError("group_size: is \(groupSize); it must be positive and even") }
    for layer in try targets.linears(in: sites, for: attachment) {
      let outputs = layer.outputSize
      guard outputs % groupSize == 0 else {
        throw TuningError("group_size: is \(groupSize), which does not divide the \(outputs) outputs of \(layer.path)")
      }
      let count = variant == .road1 ? outputs / 2 : variant == .road2 ? outputs : 2 * outputs
      let scope = attachment.scope / layer.path
      let angles = try scope.parameter("road_theta", [count], initWeights ? .zeros : .normal(standardDeviation: 0.5))
      let lengths = try scope.parameter("road_alpha", [count], .ones)
      try attachment.fill(layer, with: TurnedOutput(angles: angles, lengths: lengths, variant, groupSize: groupSize))
    }
    try attachment.adoptModules(modulesToSave ?? [], of: sites)
  }
}

/// A layer whose outputs are turned and stretched in pairs.
private final class TurnedOutput: LinearAdapter {
  let angles: Parameter, lengths: Parameter
  let variant: RoAd.Variant
  let groupSize: Int
  /// `[1, group * group]`: takes a group's halves `(x, y)` to `(-y, x)`.
  private let quarterTurn: Tensor

  init(angles: Parameter, lengths: Parameter, _ variant: RoAd.Variant, groupSize: Int) {
    (self.angles, self.lengths, self.variant, self.groupSize) = (angles, lengths, variant, groupSize)
    let half = groupSize / 2
    quarterTurn = Tensor(
      (0..<groupSize * groupSize).map { place in
        let (from, to) = (place / groupSize, place % groupSize)
        return from == to + half ? -1 : to == from + half ? 1 : 0
      }, [1, groupSize * groupSize])
  }

  func callAsFunction(_ x: Tensor, through base: Linear, _ pass: Pass) -> Tensor { turned(base.plain(x)) }

  /// - Parameter y: `[rows, out]`.
  private func turned(_ y: Tensor) -> Tensor {
    let factors = factors
    return scaleColumns(y, by: factors.along) + scaleColumns(multiplyBlocks(y, quarterTurn), by: factors.across)
  }

  /// The factors `[out]` of the outputs and of those that they make pairs with.
  private var factors: (along: Tensor, across: Tensor) {
    let (angle, length) = (angles.operand, lengths.operand)
    let half = groupSize / 2
    func spread(_ x: Tensor, _ group: Int, _ copies: Int, offset: Int = 0) -> Tensor {
      // Stretches of `group`, each `copies` times or every second of them.
      let count = x.elementCount / group
      let order = variant == .road4 ? (0..<count / 2).map { Int32(2 * $0 + offset) } : (0..<count * copies).map { Int32($0 / copies) }
      let rows = gatherRows(x.reshaped(to: [count, group]), Tensor(order))
      return rows.reshaped(to: [rows.elementCount])
    }
    switch variant {
    case .road1:
      return (spread(length * cosine(angle), half, 2), spread(length * sine(angle), half, 2))
    case .road2:
      return (length * cosine(angle), length * sine(angle))
    case .road4:
      return (
        spread(length * cosine(angle), groupSize, 1), spread(length * sine(angle), groupSize, 1, offset: 1)
      )
    }
  }

  func merge(into base: Linear) throws(TuningError) {
    try base.merge { turned($0.transposed).transposed }
    if let bias = base.bias {
      bias.assign(turned(bias.dense().reshaped(to: [1, base.outputSize])).reshaped(to: bias.shape))
    }
  }
}

private func cosine(_ x: Tensor) -> Tensor { phase("cosine", x, value: cos) { -sin($0) } }

private func sine(_ x: Tensor) -> Tensor { phase("sine", x, value: sin, slope: cos) }

private func phase(_ name: StaticString, _ x: Tensor, value: (Float) -> Float, slope: @escaping (Float) -> Float) -> Tensor {
  customOperation(name, of: [x]) { inputs in
    Tensor(inputs[0].values.map(value), inputs[0].shape)
  } pullback: { gradient, inputs, _ in
    [gradient * Tensor(inputs[0].values.map(slope), inputs[0].shape)]
  }
}
