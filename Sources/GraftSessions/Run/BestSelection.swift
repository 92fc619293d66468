import GraftJSON

/// Which weights of a run are the best so far, and how long none have been better.
package struct BestSelection: Equatable {
  /// The figure that decides, such as `eval_loss`.
  package let metric: String
  package let isGreaterBetter: Bool
  package private(set) var best: Best?
  /// Evaluations since the best one.
  private(set) var misses = 0

  package struct Best: Equatable {
    package var step: Int
    package var epoch: Double
    package var value: Double
  }

  /// - Parameters:
  ///   - metric: with or without `eval_` before it; the evaluation loss where nil.
  ///   - isGreaterBetter: by default what the figure's name implies.
  package init(metric: String? = nil, isGreaterBetter: Bool? = nil) {
    let name = metric ?? "loss"
    self.metric = name.hasPrefix("eval_") ? name : "eval_" + name
    self.isGreaterBetter = isGreaterBetter ?? !Self.falling.contains { name.hasSuffix($0) }
  }

  /// Ends of the names of figures that fall as a model improves.
  private static let falling = ["loss", "perplexity", "error", "mse", "rmse", "mae"]

  /// Takes notice of an evaluation.
  /// - Returns: whether it is the best so far.
  package mutating func take(_ value: Double, step: Int, epoch: Double) -> Bool {
    let isBetter = best.map { isGreaterBetter ? value > $0.value : value < $0.value } ?? true
    guard value.isFinite, isBetter else {
      misses += 1
      return false
    }
    best = Best(step: step, epoch: epoch, value: value)
    misses = 0
    return true
  }

  /// Whether as many evaluations in a row as `patience` says were no better.
  package func isExhausted(patience: Int?) -> Bool { patience.map { misses >= $0 } ?? false }

  package var json: JSON {
    var json: JSON = ["metric": .string(metric), "greater_is_better": .bool(isGreaterBetter), "misses": .integer(misses)]
    if let best { json["best"] = ["step": .integer(best.step), "epoch": .number(best.epoch), "value": .number(best.value)] }
    return json
  }

  /// Goes on from a checkpoint's.
  /// - Returns: false where it went by another figure, of which nothing follows for this one.
  package mutating func restore(_ json: JSON?) -> Bool {
    guard let json, json["metric"]?.string == metric, json["greater_is_better"]?.bool == isGreaterBetter else { return false }
    misses = json["misses"]?.int ?? 0
    if let best = json["best"], let step = best["step"]?.int, let value = best["value"]?.double {
      self.best = Best(step: step, epoch: best["epoch"]?.double ?? 0, value: value)
    }
    return true
  }
}
