import GraftConfiguration
import GraftLayers
import GraftTensors

/// Sparse high-rank adaptation: a few elements of the weight are trained, `y = (W + S) x + b`, at places drawn once.
///
/// Bhardwaj et al. 2024, "Sparse high rank adapters", section 3.1, with the random mask. There are as many as LoRA of rank `r` would train.
public struct SHiRA: TargetedMethod {
  public static let name = "SHIRA"
  public static let defaultLearningRate = 1e-3
  public static let card = MethodCard(
    title: "SHiRA", formula: "`(W + S) x + b`, `S` zero but for elements drawn once", parameters: "`r (in + out)` a target",
    seam: "linear layers", source: "Bhardwaj et al. 2024")

  /// The choices of places.
  package enum Mask: String, ConfigChoice { case random }

  package var r = 32
  package var maskType = Mask.random
  /// The seed of PyTorch's generator that draws the places; nil for the run's.
  package var randomSeed: Int?
  public var targetModules: ModuleSelection?
  package var initWeights = true
  public var modulesToSave: [String]?

  public init() {}

  public func attach(to sites: SiteCatalog, in attachment: Attachment) throws {
    guard r > 0 else { throw TuningError("r: is \(r); a rank is at least 1") }
    for layer in try targets.linears(in: sites, for: attachment) {
      let (inputs, outputs) = (layer.inputSize, layer.outputSize)
      let count = r * (inputs + outputs)
      guard count <= inputs * outputs else {
        throw TuningError("r: is \(r), which makes \(count) values of the \(inputs * outputs) of \(layer.path)")
      }
      let scope = attachment.scope / layer.path
      let values = try scope.parameter("shira_weight", [count], initWeights ? .zeros : .normal(standardDeviation: 1))
      let places = try attachment.numbers((scope / "shira_indices").path, [2, count], below: [outputs, inputs]) {
        let own = RandomStream(seed: attachment.seed).split(values.path).key
        var generator = TorchGenerator(seed: randomSeed.map { UInt64(bitPattern: Int64($0)) } ?? own)
        let chosen = generator.permutation(of: inputs * outputs, prefix: count).sorted()
        return chosen.map { $0 / inputs } + chosen.map { $0 % inputs }
      }
      let spread = SparseSpread(places: (0..<count).map { places[$0] * Int32(inputs) + places[count + $0] })
      try attachment.fill(layer, with: SparseAdapter(values, spread, of: layer))
    }
    try attachment.adoptModules(modulesToSave ?? [], of: sites)
  }
}
