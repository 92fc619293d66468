import GraftBatching
import GraftConfiguration
import GraftDatasets
import GraftLayers
import GraftTensors

/// Everything that decides a training run: what to train, how, on which data, and what to write.
///
/// The defaults are those of `Recipe()`; a file is decoded over them. Where a default depends on the method or the
/// architecture the value is nil until it is known.
public struct Recipe: Codable, Sendable, Equatable, SpelledKeys {
  /// The `model:` section.
  public var model = Model()
  /// The task that is learned.
  public var task = LearningTask.causalLM
  /// The `preference:` section, of the task of that name.
  public var preference = Preference()
  /// The keys of PEFT's `adapter_config.json`, decoded by the method itself.
  public var method = ConfigTree.mapping(ConfigMapping([("peft_type", "LORA")]))
  /// The `data:` section.
  public var data = Data()
  /// The `training:` section.
  public var training = Training()
  /// The `report:` section.
  public var report = Report()
  /// The run directory; `runs/` and the recipe's file name, unless given.
  public var outputDirectory: String?
  /// `graft compare`: the methods to run.
  public var methods: [ComparedMethod]?
  /// `graft compare`: the seeds to run each method with.
  public var seeds: [Int]?
  /// `graft compare`: the learning rates to try for every method that does not list its own.
  public var learningRates: [Double]?
  /// `graft compare`: the numbers of training examples that the untouched base is shown in its prompts, a line of results for each.
  public var fewShot: [Int]?
  /// Remarks on how the file was read, for the user.
  public internal(set) var remarks: [String] = []
  /// The first key that makes of the recipe a comparison, and where it stands.
  var comparisonKey: PlacedKey?
  /// The file as it was read, for the places of values that are found wrong later.
  var source = SourceTree()

  /// The defaults.
  public init() {}

  struct PlacedKey: Sendable, Equatable {
    var key: String
    var location: ConfigLocation?

    /// Recipes are not told apart by the place of a key.
    static func == (a: PlacedKey, b: PlacedKey) -> Bool { a.key == b.key }
  }

  public static let keySpellings = ["outputDirectory": "output_dir"]

  /// The keys of a file; what else there is comes of reading it.
  enum CodingKeys: CodingKey {
    case model, task, preference, method, data, training, report, outputDirectory, methods, seeds, learningRates, fewShot
  }
}

extension Recipe {
  /// - Throws: `ConfigError` for a recipe of a comparison.
  public func requireSingleRun() throws(ConfigError) {
    guard let comparisonKey else { return }
    throw ConfigError(
      location: comparisonKey.location, path: [comparisonKey.key], problem: "a comparison of several runs is not trained as one",
      advice: "run it with: graft compare \(comparisonKey.location?.file ?? "RECIPE")")
  }

  /// The `model:` section.
  public struct Model: Codable, Sendable, Equatable {
    /// A checkpoint directory.
    public var path: String?
    /// Instead of a path: the keys of a `config.json`, to start from random weights.
    public var config: ConfigTree?
    /// The model directory whose tokenizer goes with random weights; nil is that of `path`.
    public var tokenizer: String?
    /// The format that frozen weights are kept in.
    public var dtype = WeightFormat.auto
    /// The quantization of frozen linear weights.
    public var quantization = QuantizationName.none
    /// Only where the architecture leaves it open; nil is its own kind, causal where there is none.
    public var attention: AttentionStyle?
    /// Texts that become one token each: the tokenizer and the tables grow, and the new rows are trained and stored.
    public var newTokens: [String] = []

    /// The section's defaults.
    public init() {}
  }

  /// A format that frozen weights can be kept in, under the name that `ElementFormat` has for it.
  public struct WeightFormat: ConfigChoice {
    /// The format; nil is that of the precision.
    public let format: ElementFormat?

    /// The format of the precision.
    public static let auto = WeightFormat(format: nil)
    /// float32, whatever the precision.
    public static let float32 = WeightFormat(format: .float32)
    public static let allCases = [auto, float32, WeightFormat(format: .bfloat16), WeightFormat(format: .float16)]

    private init(format: ElementFormat?) { self.format = format }

    public init?(rawValue: String) {
      guard let known = Self.allCases.first(where: { $0.rawValue == rawValue }) else { return nil }
      self = known
    }

    public var rawValue: String { format?.description ?? "auto" }
  }

  /// The format that frozen weights are kept in: the one that is asked for, or else that of the products' operands.
  public var frozenFormat: ElementFormat { model.dtype.format ?? training.precision.operandFormat }

  /// A quantization of frozen linear weights, or none.
  public struct QuantizationName: ConfigChoice {
    /// The quantization; nil for none.
    public let quantization: WeightQuantization?

    /// Weights as they are.
    public static let none = QuantizationName(quantization: nil)
    public static let allCases = [none] + WeightQuantization.allCases.map { QuantizationName(quantization: $0) }

    package init(quantization: WeightQuantization?) { self.quantization = quantization }

    public init?(rawValue: String) {
      guard let known = Self.allCases.first(where: { $0.rawValue == rawValue }) else { return nil }
      self = known
    }

    public var rawValue: String { quantization?.rawValue ?? "none" }
  }

  /// The format that frozen layers' matrices are quantized to; nil for none.
  public var weightQuantization: WeightQuantization? { model.quantization.quantization }

  /// The `report:` section.
  public struct Report: Codable, Sendable, Equatable {
    /// True where `report.html` is written.
    public var html = true
    /// True where events for TensorBoard are written.
    public var tensorboard = true

    /// The section's defaults.
    public init() {}
  }

  /// `peft_type` in capitals.
  public var peftType: String { Self.peftType(of: method) }

  static func peftType(of method: ConfigTree) -> String { method["peft_type"]?.string?.uppercased() ?? "LORA" }

  /// The adapter to continue from.
  public var initialAdapter: String? { method["init_from"]?.string }
}

extension AttentionStyle: ConfigChoice {}
