import GraftConfiguration
import GraftLayers
import GraftTensors

/// Small networks `f(z) = s up(act(down z))` where the halves of a block join the residual stream.
///
/// Houlsby et al. 2019 (`double_seq_bn`), Pfeiffer et al. 2021 (`seq_bn`), He et al. 2022 (`par_bn`, `scaled_par_bn`),
/// Mahabadi et al. 2021 (`compacter`, `compacter++`), Steitz and Roth 2024 (`adapter_plus`); keys, names and arithmetic are AdapterHub's.
public struct BottleneckAdapter: AdapterHubMethod {
  public static let name = "ADAPTER"
  public static let defaultLearningRate = 1e-3
  public static let card = MethodCard(
    title: "bottleneck adapters", formula: "`h + s up(act(down h)) + x`", parameters: "`2 h h/f + h/f + h` a place, `f` the reduction factor",
    seam: "where halves of blocks join the residual stream", source: "Houlsby et al. 2019; Pfeiffer et al. 2021; He et al. 2022; Mahabadi et al. 2021"
  )

  /// AdapterHub's stock configurations, which the other keys refine.
  public enum Preset: String, ConfigChoice {
    /// Behind the feed-forward (Pfeiffer et al. 2021).
    case sequential = "seq_bn"
    /// Behind attention and behind the feed-forward (Houlsby et al. 2019).
    case doubleSequential = "double_seq_bn"
    /// Beside the feed-forward (He et al. 2022).
    case parallel = "par_bn"
    /// Beside the feed-forward, with a factor (He et al. 2022).
    case scaledParallel = "scaled_par_bn"
    /// Behind both halves, with weights that are sums of Kronecker products (Mahabadi et al. 2021).
    case compacter
    /// The same, behind the feed-forward alone.
    case compacterPlusPlus = "compacter++"
    /// Behind the feed-forward, with an invertible adapter before the first layer (Pfeiffer et al. 2020, "MAD-X").
    case invertible = "seq_bn_inv"
    /// Behind both halves, with an invertible adapter before the first layer.
    case doubleInvertible = "double_seq_bn_inv"
    /// Behind whole layers, with a factor for each channel (Steitz and Roth 2024).
    case plus = "adapter_plus"
  }

  /// The initial values of weights.
  public enum Initialization: String, ConfigChoice {
    /// Normal with deviation 0.02, biases zero.
    case bert
    /// The last layer zero, so that nothing changes at first.
    case mam = "mam_adapter"
    /// Normal with deviation 0.01, none beyond twice that, biases zero.
    case houlsby
  }

  /// The initial values of the rules of hypercomplex layers.
  public enum RuleInitialization: String, ConfigChoice { case normal, uniform }

  package var config = Preset.sequential
  /// True for a bottleneck after attention.
  package var mhAdapter: Bool?
  /// True for a bottleneck after the feed-forward.
  package var outputAdapter: Bool?
  /// The hidden size over the bottleneck's.
  package var reductionFactor: Double?
  package var nonLinearity: String?
  /// True where it reads the sum with the residual, normed where the model norms there.
  package var originalLnBefore: Bool?
  /// True where it reads the residual instead of the half's output.
  package var isParallel: Bool?
  package var scaling: BottleneckScaling?
  /// False where nothing follows the bottleneck, not even the model's norm.
  package var originalLnAfter: Bool?
  /// The place at which the way around the bottleneck begins.
  package var residualBeforeLn: BottleneckBypass?
  /// True where each sequence takes a trained share of what the bottleneck adds.
  package var useGating = false
  package var invAdapter: InvertibleAdapter.Kind?
  package var invAdapterReductionFactor: Double?
  /// The probability with which a sequence goes around a bottleneck in training.
  package var stochasticDepth: Double?
  /// The most first layers that training goes around, their number drawn for every micro-batch.
  package var adapterDrop = 0
  /// The first layers that are gone around where nothing is trained.
  package var skipLayers = 0
  package var initWeights: Initialization?
  /// True where projections are sums of Kronecker products.
  package var phmLayer: Bool?
  /// The number of products, and the size of their first factors.
  package var phmDim = 4
  /// The rank of their second factors.
  package var phmRank = 1
  /// True where all layers share the first factors.
  package var sharedPhmRule = true
  package var phmCInit = RuleInitialization.normal
  /// The deviation of shared first factors at first.
  package var phmInitRange = 1e-4
  package var dropout = 0.0
  /// Layers that get none.
  package var leaveOut: [Int] = []
  /// Modules that are trained and stored whole.
  public var modulesToSave: [String]?

  public init() {}

  public var isMergeable: Bool { false }

  public func attach(to sites: SiteCatalog, in attachment: Attachment) throws {
    try requireResidualStream(sites)
    let settings = try settings()
    for (layer, part) in try parts(of: sites, settings, in: attachment) { try place(part, at: layer, settings, of: sites, attachment) }
    if let kind = settings.invertible { try InvertibleAdapter.attach(kind, settings, to: sites, in: attachment) }
    attachment.modulePrefix = ""
    try attachment.adoptModules(modulesToSave ?? [], of: sites)
  }
}
