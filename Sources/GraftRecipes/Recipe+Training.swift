import GraftConfiguration
import GraftOptimizers

extension Recipe {
  /// The `training:` section.
  public struct Training: Codable, Sendable, Equatable {
    /// How often the data is seen; 1 unless `maxSteps` is given.
    public var numEpochs: Double?
    /// Instead of `numEpochs`: the number of optimizer steps.
    public var maxSteps: Int?
    public var batchSize = 8
    public var gradientAccumulationSteps = 1
    /// Nil is the method's own default.
    public var learningRate: Double?
    /// LoRA+: how many times faster than `A` the `B` factors learn.
    public var loraplusLrRatio: Double?
    /// LoRA+: the peak learning rate of embeddings' factors.
    public var loraplusLrEmbedding = 1e-6
    public var optimizer = OptimizerName.adamw
    public var betas = Self.defaultBetas
    public var epsilon = 1e-8
    public var weightDecay = 0.0
    public var lrScheduler = LearningRateSchedule.Shape.cosine
    public var warmupSteps = 0
    /// Instead of `warmupSteps`: the share of all steps, rounded up.
    public var warmupRatio: Double?
    /// Nil or 0 does not clip.
    public var maxGradNorm: Double? = 1.0
    /// The share of a target's probability that is spread over all classes, or the whole vocabulary.
    public var labelSmoothing = 0.0
    public var precision = PrecisionName.fp32
    public var gradientCheckpointing = false
    public var seed = 0
    public var loggingSteps = 10
    public var evalSteps: Int?
    public var saveSteps: Int?
    /// Nil keeps every checkpoint.
    public var saveTotalLimit: Int? = 2
    public var earlyStoppingPatience: Int?
    /// Whether the result is the best weights that an evaluation found rather than the last; nil is yes where more than one evaluates.
    public var loadBestModelAtEnd: Bool?
    /// The figure that says which weights are the best, such as `eval_loss`, the default, or `exact_match`.
    public var metricForBestModel: String?
    /// Whether that figure rises as a model improves; nil is what its name implies.
    public var greaterIsBetter: Bool?

    package static let defaultBetas = [0.9, 0.999]

    public init() {}
  }

  public enum OptimizerName: String, ConfigChoice { case sgd, momentum, rmsprop, adam, adamw, lion, adafactor, muon }

  public enum PrecisionName: String, ConfigChoice { case fp32, bf16, fp16 }
}

extension LearningRateSchedule.Shape: ConfigChoice {}

extension Recipe.Training {
  /// The warm-up in steps, of `totalSteps`.
  public func warmupStepCount(of totalSteps: Int) -> Int {
    warmupSteps > 0 ? warmupSteps : Int(((warmupRatio ?? 0) * Double(totalSteps)).rounded(.up))
  }
}
