import Foundation
import GraftConfiguration
import GraftLayers
import GraftTensors

/// Low-rank adaptation: `y = W x + b + s B A x`, with `A [r, in]` and `B [out, r]` trained and `W` frozen.
///
/// Hu et al. 2022, "LoRA", section 4.1; the scale `s` is `alpha / r`, or `alpha / sqrt(r)` with rsLoRA (Kalajdzievski 2023).
public struct LoRA: TuningMethod {
  public static let name = "LORA"
  public static let defaultLearningRate = 2e-4

  public var r = 8
  public var loraAlpha = 8.0
  public var loraDropout = 0.0
  /// Nil for the family's own, which PEFT lists by name.
  public var targetModules: ModuleSelection?
  public var excludeModules: ModuleSelection?
  public var rankPattern = ConfigTree.mapping(ConfigMapping())
  public var alphaPattern = ConfigTree.mapping(ConfigMapping())
  public var layersToTransform: OneOrMany<Int>?
  public var layersPattern: OneOrMany<String>?
  public var bias = BiasTraining.none
  public var useRslora = false
  public var modulesToSave: [String]?
  public var initLoraWeights = LoRAInitialization.kaiming

  public init() {}

  public static var recipeDefaults: LoRA {
    var method = LoRA()
    method.r = 16
    method.loraAlpha = 32
    method.targetModules = .allLinear
    return method
  }

  enum CodingKeys: String, CodingKey {
    case r
    case loraAlpha = "lora_alpha"
    case loraDropout = "lora_dropout"
    case targetModules = "target_modules"
    case excludeModules = "exclude_modules"
    case rankPattern = "rank_pattern"
    case alphaPattern = "alpha_pattern"
    case layersToTransform = "layers_to_transform"
    case layersPattern = "layers_pattern"
    case bias
    case useRslora = "use_rslora"
    case modulesToSave = "modules_to_save"
    case initLoraWeights = "init_lora_weights"
  }

  public func attach(to sites: SiteCatalog, in attachment: Attachment) throws {
    try validate()
    let targets = Targets(
      modules: targetModules, excluded: excludeModules, saved: modulesToSave ?? [], layers: layersToTransform?.values,
      layersPattern: layersPattern?.values ?? [])
    let layers = try targets.linears(in: sites, isStrict: !attachment.isLoading)
    for layer in layers {
      let rank = Int(try patternValue(for: layer.path, in: rankPattern.numbers) ?? Double(r))
      let alpha = try patternValue(for: layer.path, in: alphaPattern.numbers) ?? loraAlpha
      guard rank > 0 else { throw TuningError("rank_pattern: \(rank) for \(layer.path); a rank is at least 1") }
      let scope = attachment.scope / layer.path
      let (initialA, initialB) = initLoraWeights.initializers(inputs: layer.inputSize, outputs: layer.outputSize, rank: rank)
      let adapter = LowRankAdapter(
        a: try (scope / "lora_A").parameter("weight", [rank, layer.inputSize], initialA),
        b: try (scope / "lora_B").parameter("weight", [layer.outputSize, rank], initialB),
        scale: Float(alpha / (useRslora ? Double(rank).squareRoot() : Double(rank))), dropout: Float(loraDropout))
      try attachment.fill(layer, with: adapter)
    }
    try adoptBiases(of: sites, targets: layers, in: attachment)
    try attachment.adoptModules(modulesToSave ?? [], of: sites)
  }

  private func validate() throws(TuningError) {
    guard r > 0 else { throw TuningError("r: is \(r); a rank is at least 1") }
    guard (0..<1).contains(loraDropout) else { throw TuningError("lora_dropout: is \(loraDropout); it must be at least 0 and below 1") }
  }

  private func adoptBiases(of sites: SiteCatalog, targets: [Linear], in attachment: Attachment) throws {
    guard bias != .none else { return }
    let targeted = Set(targets.map(\.path))
    for target in targets {
      guard let parameter = target.bias else { continue }
      try attachment.adopt(parameter, as: "base_model.model.\(target.path).base_layer.bias")
    }
    guard bias == .all else { return }
    for parameter in sites.parameters where parameter.path.hasSuffix(".bias") && !targeted.contains(String(parameter.path.dropLast(5))) {
      try attachment.adopt(parameter, as: "base_model.model.\(parameter.path)")
    }
  }
}

/// Which of the base's biases are trained beside the adapter.
public enum BiasTraining: String, ConfigChoice {
  case none, all
  case loraOnly = "lora_only"
}

/// How `A` and `B` start.
public enum LoRAInitialization: Codable, Sendable, Hashable {
  /// `A` uniform on `±1/sqrt(in)` (Kaiming's bound for a = sqrt 5), `B` zero: the adapter changes nothing at first.
  case kaiming
  /// `A` normal with deviation `1/r`, `B` zero.
  case gaussian
  /// Both random, for tests that want a delta which is not zero.
  case random

  public init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    if let isDefault = try? container.decode(Bool.self) {
      self = isDefault ? .kaiming : .random
      return
    }
    let name = try container.decode(String.self)
    guard name == "gaussian" else {
      throw DecodingError.dataCorruptedError(in: container, debugDescription: "unsupported initialization \"\(name)\"; use true, false or gaussian")
    }
    self = .gaussian
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    switch self {
    case .kaiming: try container.encode(true)
    case .random: try container.encode(false)
    case .gaussian: try container.encode("gaussian")
    }
  }

  func initializers(inputs: Int, outputs: Int, rank: Int) -> (a: Initializer, b: Initializer) {
    let bound = 1 / Float(inputs).squareRoot()
    switch self {
    case .kaiming: return (.uniform(bound: bound), .zeros)
    case .gaussian: return (.normal(standardDeviation: 1 / Float(rank)), .zeros)
    case .random: return (.uniform(bound: bound), .uniform(bound: 1 / Float(rank).squareRoot()))
    }
  }
}

/// The two factors beside a linear layer.
final class LowRankAdapter: LinearAdapter {
  /// `[r, in]` and `[out, r]`.
  let a: Parameter, b: Parameter
  let scale: Float, dropout: Float

  init(a: Parameter, b: Parameter, scale: Float, dropout: Float) {
    (self.a, self.b, self.scale, self.dropout) = (a, b, scale, dropout)
  }

  func callAsFunction(_ x: Tensor, through base: Linear, _ pass: Pass) -> Tensor {
    let narrow = linear(pass.dropout(x, dropout, at: a.path), a.operand)
    return linear(narrow, b.operand, scale: scale, addingTo: base.plain(x))
  }

  func merge(into base: Linear) throws(TuningError) {
    base.add(matrixProduct(b.value, a.value), scale: scale)
  }
}
