import GraftConfiguration
import GraftLayers
import GraftTensors

/// A weight's change given by a few of its wavelet coefficients: `ΔW = s W⁻¹(C)`, with `C` zero but at places drawn once.
///
/// Bilican et al. 2025, "Exploring sparsity for parameter efficient fine tuning using wavelets", section 3. A coefficient is spread over a
/// small patch of `ΔW` by the synthesis filters of its quarter of `C`; without the transform it is an element of `ΔW` itself.
public struct WaveFT: LayerTargetedMethod {
  public static let name = "WAVEFT"
  public static let defaultLearningRate = 1e-2
  public static let card = MethodCard(
    title: "WaveFT", formula: "`W x + b + s W⁻¹(C) x`, `C` of few wavelet coefficients", parameters: "`n_frequency` a target",
    seam: "linear layers", source: "Bilican et al. 2025")

  /// Coefficients of a target.
  package var nFrequency = 2592
  package var scaling = 25.0
  package var waveletFamily = "db1"
  /// False where coefficients are elements of `ΔW`.
  package var useIdwt = true
  /// The seed of PyTorch's generator that draws the places.
  package var randomLocSeed = 777
  public var targetKeys = TargetKeys()
  package var bias = BiasTraining.none
  package var nFrequencyPattern = ConfigTree.mapping(ConfigMapping())
  /// True where larger targets get more of all coefficients.
  package var proportionalParameters = false
  /// True where the coefficients start at zero.
  package var initWeights = true

  public init() {}

  public func attach(to sites: SiteCatalog, in attachment: Attachment) throws {
    let filters = useIdwt ? try Wavelet(named: waveletFamily) : nil
    let layers = try targets.linears(in: sites, for: attachment)
    let counts = try FrequencyCounts(nFrequency, nFrequencyPattern, for: layers, in: attachment)
    let total = layers.reduce(0) { $0 + $1.inputSize * $1.outputSize }
    for layer in layers {
      let share = Double(layer.inputSize * layer.outputSize) / Double(total) * Double(nFrequency * layers.count)
      let count = proportionalParameters ? max(1, Int(share.rounded(.toNearestOrEven))) : try counts[layer]
      guard count <= layer.inputSize * layer.outputSize else { throw TuningError("n_frequency: is \(count) for \(layer.path), which is smaller") }
      let coefficients = try (attachment.scope / layer.path).parameter(
        "waveft_spectrum", [count], initWeights ? .zeros : .normal(standardDeviation: 0.01))
      let places = FrequencyCounts.places(outputs: layer.outputSize, inputs: layer.inputSize, count: count, seed: randomLocSeed)
      let spread = filters?.spread(of: places, outputs: layer.outputSize, inputs: layer.inputSize)
      let direct = SparseSpread(places: places.map { Int32($0.row * layer.inputSize + $0.column) })
      try attachment.fill(layer, with: SparseAdapter(coefficients, spread ?? direct, of: layer, scale: Float(scaling)))
    }
    try attachment.adoptBiases(bias, of: sites, targets: layers, saved: modulesToSave ?? [])
    try attachment.adoptModules(modulesToSave ?? [], of: sites)
  }
}
