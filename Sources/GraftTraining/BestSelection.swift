/// The search for the best weights of a training: the best evaluation so far, and the number of those since that were no better.
public struct BestSelection: Sendable, Equatable {
  /// The metric that decides, such as `eval_loss`.
  public let metric: String
  /// True where the metric rises as a model improves.
  public let isGreaterBetter: Bool
  /// The best evaluation so far.
  public private(set) var best: Best?
  /// Evaluations since the best one.
  public private(set) var misses = 0

  /// An evaluation that none before was better than.
  public struct Best: Sendable, Equatable {
    /// Optimizer steps done until then.
    public var step: Int
    /// Passes over the data until then.
    public var epoch: Double
    /// The metric that decides.
    public var value: Double

    /// - Parameter value: the metric of the weights.
    public init(step: Int, epoch: Double, value: Double) {
      self.step = step
      self.epoch = epoch
      self.value = value
    }
  }

  /// - Parameters:
  ///   - metric: with or without `eval_` before it; the evaluation loss where nil.
  ///   - isGreaterBetter: by default what the metric's name implies.
  public init(metric: String? = nil, isGreaterBetter: Bool? = nil) {
    let name = metric ?? "loss"
    self.metric = name.hasPrefix("eval_") ? name : "eval_" + name
    self.isGreaterBetter = isGreaterBetter ?? !Self.falling.contains { name.hasSuffix($0) }
  }

  /// Ends of the names of metrics that fall as a model improves.
  private static let falling = ["loss", "perplexity", "error", "mse", "rmse", "mae"]

  /// Takes notice of an evaluation.
  /// - Returns: true where it is the best so far.
  public mutating func take(_ value: Double, step: Int, epoch: Double) -> Bool {
    let isBetter = best.map { isGreaterBetter ? value > $0.value : value < $0.value } ?? true
    guard value.isFinite, isBetter else {
      misses += 1
      return false
    }
    best = Best(step: step, epoch: epoch, value: value)
    misses = 0
    return true
  }

  /// Goes on from an earlier search by the same metric.
  public mutating func resume(_ best: Best?, misses: Int) {
    self.best = best
    self.misses = misses
  }

  /// Returns true where as many evaluations in a row as `patience` says were no better; never without patience.
  public func isExhausted(patience: Int?) -> Bool { patience.map { misses >= $0 } ?? false }
}
