import GraftConfiguration
import GraftLayers
import GraftTensors

/// High-rank adaptation: the weight times a low-rank matrix, element by element, `y = (W + W * (B A)) x + b`.
///
/// Huang et al. 2025, "HiRA: parameter-efficient Hadamard high-rank adaptation for large language models".
public struct HiRA: LayerTargetedMethod {
  public static let name = "HIRA"
  public static let defaultLearningRate = 1e-3
  public static let card = MethodCard(
    title: "HiRA", formula: "`(W + W * (B A)) x + b`", parameters: "`r (in + out)` a target", seam: "linear layers", source: "Huang et al. 2025")

  package var r = 32
  public var targetKeys = TargetKeys()
  package var hiraDropout = 0.0
  package var initWeights = FactorInitialization.standard
  package var rankPattern = ConfigTree.mapping(ConfigMapping())

  public init() {}

  public func attach(to sites: SiteCatalog, in attachment: Attachment) throws {
    guard (0..<1).contains(hiraDropout) else { throw TuningError("hira_dropout: is \(hiraDropout); it must be at least 0 and below 1") }
    let layers = try targets.linears(in: sites, for: attachment)
    let ranks = try PatternTable("rank_pattern", rankPattern.numbers)
    try ranks.requireUse(by: layers.map(\.path), in: attachment)
    for layer in layers {
      let rank = Int(ranks[layer.path] ?? Double(r))
      guard rank > 0 else { throw TuningError("r: is \(rank) for \(layer.path); a rank is at least 1") }
      let scope = attachment.scope / layer.path
      let initial = initWeights.initializers(inputs: layer.inputSize, rank: rank)
      let adapter = HadamardWeight(
        a: try scope.parameter("hira_A", [rank, layer.inputSize], initial.a), b: try scope.parameter("hira_B", [layer.outputSize, rank], initial.b),
        dropout: Float(hiraDropout))
      try attachment.fill(layer, with: adapter)
    }
    try attachment.adoptModules(modulesToSave ?? [], of: sites)
  }
}

/// The initial values of two factors of which one is zero at first.
package enum FactorInitialization: Codable, Sendable, Hashable {
  /// `A` uniform on `±1/sqrt(in)`, `B` zero.
  case standard
  /// `A` normal with deviation `1/r`, `B` zero.
  case gaussian
  /// Both drawn.
  case random

  package init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    if let isDefault = try? container.decode(Bool.self) {
      self = isDefault ? .standard : .random
      return
    }
    guard try container.decode(String.self).lowercased() == "gaussian" else {
      throw DecodingError.dataCorruptedError(in: container, debugDescription: "unknown initialization; use true, false or gaussian")
    }
    self = .gaussian
  }

  package func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    switch self {
    case .standard: try container.encode(true)
    case .random: try container.encode(false)
    case .gaussian: try container.encode("gaussian")
    }
  }

  func initializers(inputs: Int, rank: Int) -> (a: Initializer, b: Initializer) {
    switch self {
    case .standard: (.uniform(bound: 1 / Float(inputs).squareRoot()), .zeros)
    case .gaussian: (.normal(standardDeviation: 1 / Float(rank)), .zeros)
    case .random: (.normal(standardDeviation: 1), .normal(standardDeviation: 1))
    }
  }
}

/// The weight's elements times those of a product of two factors.
private final class HadamardWeight: WeightChange {
  /// `[r, in]` and `[out, r]`.
  let a: Parameter, b: Parameter
  let dropout: (probability: Float, path: String)

  init(a: Parameter, b: Parameter, dropout: Float) { (self.a, self.b, self.dropout) = (a, b, (dropout, a.path)) }

  func change(of weight: @autoclosure () -> Tensor) -> Tensor { weight() * matrixProduct(b.operand, a.operand) }
}
