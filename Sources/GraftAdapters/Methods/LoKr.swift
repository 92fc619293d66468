import GraftConfiguration
import GraftLayers
import GraftTensors

/// A Kronecker product: `ΔW = s w1 ⊗ w2`, each factor a matrix or itself a product of two.
///
/// Edalati et al. 2022, "KronA"; Yeh et al. 2024, "LyCORIS", section 4.2.
public struct LoKr: RankedMethod {
  public static let name = "LOKR"
  public static let defaultLearningRate = 1e-3
  public static let card = MethodCard(
    title: "LoKr", formula: "`W x + b + s (w1 ⊗ w2) x`", parameters: "the factors' sizes",
    seam: "linear layers", source: "Edalati et al. 2022; Yeh et al. 2024")

  package var r = 8
  package var alpha = 8.0
  package var rankDropout = 0.0
  package var moduleDropout = 0.0
  package var useEffectiveConv2d = false
  /// True where the first factor may be a product too.
  package var decomposeBoth = false
  /// The first factor's size; -1 for the divisor nearest to the root.
  package var decomposeFactor = -1
  package var rankDropoutScale = false
  public var targetKeys = TargetKeys()
  package var initWeights = KroneckerInitialization.standard
  package var rankPattern = ConfigTree.mapping(ConfigMapping())
  package var alphaPattern = ConfigTree.mapping(ConfigMapping())

  public init() {}

  public func attach(to sites: SiteCatalog, in attachment: Attachment) throws {
    for (layer, rank, scale) in try rankedLayers(in: sites, for: attachment) {
      let inputs = Self.factors(of: layer.inputSize, near: decomposeFactor)
      let outputs = Self.factors(of: layer.outputSize, near: decomposeFactor)
      let scope = attachment.scope / layer.path
      let first = try factor(
        "lokr_w1", [outputs.small, inputs.small], isProduct: decomposeBoth && 2 * rank < max(outputs.small, inputs.small), rank, in: scope,
        startsAtZero: initWeights == .standard, zeroesRight: false)
      let second = try factor(
        "lokr_w2", [outputs.large, inputs.large], isProduct: 2 * rank < max(outputs.large, inputs.large), rank, in: scope,
        startsAtZero: initWeights == .lycoris, zeroesRight: true)
      try attachment.fill(layer, with: KroneckerAdapter(first, second, scale: scale))
    }
    try attachment.adoptModules(modulesToSave ?? [], of: sites)
  }

  /// Two divisors of `size`, the smaller one first: `factor` where it is one, else the pair whose smaller is largest within it.
  static func factors(of size: Int, near factor: Int) -> (small: Int, large: Int) {
    if factor > 0, size % factor == 0 { return (factor, size / factor) }
    let limit = factor == -1 ? size : factor
    var best = 1
    for divisor in stride(from: 2, through: min(limit, size), by: 1) where size % divisor == 0 && divisor + size / divisor <= best + size / best {
      best = divisor
    }
    let (small, large) = (best, size / best)
    return (min(small, large), max(small, large))
  }

  private func factor(
    _ name: String, _ shape: Shape, isProduct: Bool, _ rank: Int, in scope: Scope, startsAtZero: Bool, zeroesRight: Bool
  ) throws -> KroneckerFactor {
    func uniform(_ columns: Int) -> Initializer { .uniform(bound: 1 / Float(columns).squareRoot()) }
    guard isProduct else { return .whole(try scope.parameter(name, shape, startsAtZero ? .zeros : uniform(shape[1]))) }
    return .product(
      try scope.parameter("\(name)_a", [shape[0], rank], startsAtZero && !zeroesRight ? .zeros : uniform(rank)),
      try scope.parameter("\(name)_b", [rank, shape[1]], startsAtZero && zeroesRight ? .zeros : uniform(shape[1])))
  }
}

/// The factor that starts at zero, so that the adapter changes nothing at first.
public enum KroneckerInitialization: Codable, Sendable, Hashable {
  /// The first one.
  case standard
  /// The second one, as LyCORIS has it.
  case lycoris
  /// Neither.
  case random

  public init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    if let isDefault = try? container.decode(Bool.self) {
      self = isDefault ? .standard : .random
      return
    }
    guard try container.decode(String.self) == "lycoris" else {
      throw DecodingError.dataCorruptedError(in: container, debugDescription: "unknown initialization; use true, false or lycoris")
    }
    self = .lycoris
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    switch self {
    case .standard: try container.encode(true)
    case .random: try container.encode(false)
    case .lycoris: try container.encode("lycoris")
    }
  }
}

/// A matrix, or the product of `[rows, r]` and `[r, columns]`.
private enum KroneckerFactor {
  case whole(Parameter)
  case product(Parameter, Parameter)

  var operand: Tensor {
    switch self {
    case .whole(let matrix): matrix.operand
    case .product(let left, let right): matrixProduct(left.operand, right.operand)
    }
  }
}

/// `(w1 ⊗ w2) x` without the product: `w2` along the inner axis of `x [small, large]`, then `w1` along the outer one.
private final class KroneckerAdapter: AdditiveAdapter {
  let first: KroneckerFactor, second: KroneckerFactor
  let scale: Float

  init(_ first: KroneckerFactor, _ second: KroneckerFactor, scale: Float) { (self.first, self.second, self.scale) = (first, second, scale) }

  func change(_ x: Tensor, addingTo base: consuming Tensor, _ pass: Pass) -> Tensor {
    let outer = first.operand
    let inner = second.operand
    let rows = x.shape.rows
    let (outerIn, outerOut, innerIn, innerOut) = (outer.shape[1], outer.shape[0], inner.shape[1], inner.shape[0])
    let along = linear(x.reshaped(to: [rows * outerIn, innerIn]), inner).reshaped(to: [rows, outerIn * innerOut])
    let turned = transposeRows(along, size: outerIn).reshaped(to: [rows * innerOut, outerIn])
    let across = linear(turned, outer, scale: scale).reshaped(to: [rows, innerOut * outerOut])
    return base + transposeRows(across, size: innerOut)
  }
}
