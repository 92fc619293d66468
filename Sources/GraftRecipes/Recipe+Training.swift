import GraftConfiguration
import GraftOptimizers
import GraftTensors

extension Recipe {
  /// The `training:` section.
  public struct Training: Codable, Sendable, Equatable {
    /// Passes over the data; 1 unless `maxSteps` is given.
    public var numEpochs: Double?
    /// Instead of `numEpochs`: the number of optimizer steps.
    public var maxSteps: Int?
    /// Examples, or packed rows, of a micro-batch.
    public var batchSize = 8
    /// Micro-batches of an optimizer step.
    public var gradientAccumulationSteps = 1
    /// Nil is the method's own default.
    public var learningRate: Double?
    /// LoRA+: how many times faster than `A` the `B` factors learn.
    public var loraplusLrRatio: Double?
    /// LoRA+: the peak learning rate of embeddings' factors.
    public var loraplusLrEmbedding = 1e-6
    /// A change of the gradients of LoRA's factors by each other's size; nil leaves them as they are.
    public var preconditioner: PreconditionerName?
    /// The number added to the diagonal of what the Riemannian preconditioner inverts.
    public var preconditionerDamping = 0.01
    /// A loss that the program has registered, in place of the model's own for its task.
    public var loss: String?
    /// The update rule.
    public var optimizer = OptimizerName.adamw
    /// The decay of the optimizer's first and second moments.
    public var betas = Self.defaultBetas
    /// The number added to the optimizer's denominators.
    public var epsilon = 1e-8
    /// The format that the optimizer's moments rest in between steps.
    public var optimizerState = StateFormat.fp32
    /// The decoupled weight decay, of what `DecayRule` lets decay.
    public var weightDecay = 0.0
    /// The shape of the learning rate over the steps.
    public var lrScheduler = LearningRateSchedule.Shape.cosine
    /// Steps in which the learning rate rises from 0 to its peak.
    public var warmupSteps = 0
    /// Instead of `warmupSteps`: the share of all steps, rounded up.
    public var warmupRatio: Double?
    /// Nil or 0 does not clip.
    public var maxGradNorm: Double? = 1.0
    /// The share of a target's probability that is spread over all classes, or the whole vocabulary.
    public var labelSmoothing = 0.0
    /// The coefficient of the loss that keeps experts equally busy; nil is the model's configuration's.
    public var routerAuxLossCoef: Double?
    /// The coefficient of the loss that keeps routers' logits small; nil is the model's configuration's.
    public var routerZLossCoef: Double?
    /// The arithmetic of training.
    public var precision = PrecisionName.fp32
    /// The dynamic loss scale of fp16.
    public var lossScale = LossScaling()
    /// True where blocks run again for their gradients instead of keeping their activations.
    public var gradientCheckpointing = false
    /// The seed of everything that is drawn.
    public var seed = 0
    /// Steps between two lines of the log.
    public var loggingSteps = 10
    /// Steps between two evaluations; nil evaluates before and after training only.
    public var evalSteps: Int?
    /// Steps between two checkpoints; nil writes none.
    public var saveSteps: Int?
    /// Nil keeps every checkpoint.
    public var saveTotalLimit: Int? = 2
    /// Evaluations in a row without an improvement that end the training; nil never ends it.
    public var earlyStoppingPatience: Int?
    /// True where the result is the best weights that an evaluation found rather than the last; nil is yes where more than one evaluates.
    public var loadBestModelAtEnd: Bool?
    /// The metric that says which weights are the best, such as `eval_loss`, the default, or `exact_match`.
    public var metricForBestModel: String?
    /// True where that metric rises as a model improves; nil is what its name implies.
    public var greaterIsBetter: Bool?

    package static let defaultBetas = [0.9, 0.999]

    /// The section's defaults.
    public init() {}
  }

  /// An update rule.
  public enum OptimizerName: String, ConfigChoice { case sgd, momentum, rmsprop, adam, adamw, lion, adafactor, muon }

  /// A change of the gradients of LoRA's factors.
  public enum PreconditionerName: String, ConfigChoice {
    /// Each by the inverse of the other factor's square.
    case riemannian
    /// That of `B` alone, with `A` left as it was drawn.
    case loraFa = "lora_fa"
  }

  /// A format of the optimizer's moments.
  public enum StateFormat: String, ConfigChoice {
    /// As they were computed.
    case fp32
    /// Rounded by chance, so that small changes add up.
    case bf16

    /// The format of the elements.
    public var format: ElementFormat { self == .fp32 ? .float32 : .bfloat16 }
  }

  /// An arithmetic of training.
  public enum PrecisionName: String, ConfigChoice {
    /// The format of the products' operands: float32, bfloat16 or float16. Sums are float32.
    case fp32, bf16, fp16

    /// The precision of matrix products.
    public var arithmetic: Execution.Arithmetic {
      switch self {
      case .fp32: .float32
      case .bf16: .bfloat16
      case .fp16: .float16
      }
    }

    /// The format of the products' operands.
    public var operandFormat: ElementFormat { arithmetic.operandFormat ?? .float32 }

    /// Runs `body` with products of this precision.
    public func run<R, E: Error>(_ body: () throws(E) -> R) throws(E) -> R { try Execution(arithmetic: arithmetic).run(body) }
  }
}

extension LearningRateSchedule.Shape: ConfigChoice {}

extension Recipe.Training {
  /// The `loss_scale:` section, with torch's names and defaults.
  public struct LossScaling: Codable, Sendable, Equatable {
    /// The scale of the first step.
    public var initial = 65536.0
    /// The factor by which it grows.
    public var growthFactor = 2.0
    /// The factor by which it shrinks where gradients overflow.
    public var backoffFactor = 0.5
    /// Updates in a row after which it grows.
    public var growthInterval = 2000
    /// The least scale.
    public var minimum = 1.0

    /// The section's defaults.
    public init() {}
  }
}

extension Recipe.Training {
  /// The warm-up in steps, of `totalSteps`.
  public func warmupStepCount(of totalSteps: Int) -> Int {
    warmupSteps > 0 ? warmupSteps : Int(((warmupRatio ?? 0) * Double(totalSteps)).rounded(.up))
  }
}
