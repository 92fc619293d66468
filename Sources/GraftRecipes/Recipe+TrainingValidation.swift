extension Recipe.Training {
  mutating func clear(_ key: String) {
    switch key {
    case "num_epochs": numEpochs = nil
    case "max_steps": maxSteps = nil
    case "warmup_steps": warmupSteps = 0
    case "warmup_ratio": warmupRatio = nil
    default: break
    }
  }

  /// Lets the count of steps stand above the epochs, and that of warm-up above its share, as Transformers does.
  /// - Returns: what was set aside.
  mutating func settlePrecedence() -> [String] {
    var remarks: [String] = []
    // Transformers' word for "not given".
    if maxSteps == -1 { maxSteps = nil }
    if let maxSteps, let epochs = numEpochs {
      remarks.append("training.max_steps: \(maxSteps) counts; num_epochs: \(epochs) does not")
      numEpochs = nil
    }
    if warmupSteps > 0, let ratio = warmupRatio, ratio != 0 {
      remarks.append("training.warmup_steps: \(warmupSteps) counts; warmup_ratio: \(ratio) does not")
      warmupRatio = nil
    }
    return remarks
  }

  /// Writes out the defaults that depend on other keys.
  mutating func resolve() {
    if numEpochs == nil, maxSteps == nil { numEpochs = 1 }
  }

  /// Everything impossible in the section, in the order of its keys.
  func problems() -> [RecipeProblem] {
    var bounds = TrainingBounds()
    checkLength(&bounds)
    checkOptimization(&bounds)
    checkLossScale(&bounds)
    checkIntervals(&bounds)
    return bounds.problems
  }

  private func checkLength(_ bounds: inout TrainingBounds) {
    if let numEpochs {
      bounds.require(
        numEpochs > 0 && numEpochs <= Double(Recipe.largestCount), "num_epochs", numEpochs,
        "choose a number above 0 and at most \(Recipe.largestCount)")
    }
    bounds.requirePositive(maxSteps, "max_steps")
    bounds.requirePositive(batchSize, "batch_size")
    bounds.requirePositive(gradientAccumulationSteps, "gradient_accumulation_steps")
  }

  private func checkOptimization(_ bounds: inout TrainingBounds) {
    bounds.requireFinite(learningRate, "learning_rate")
    bounds.requireFinite(loraplusLrRatio, "loraplus_lr_ratio", from: 1)
    bounds.requireFinite(loraplusLrEmbedding, "loraplus_lr_embedding")
    bounds.require(
      preconditionerDamping > 0 && preconditionerDamping.isFinite, "preconditioner_damping", preconditionerDamping, "choose a number above 0")
    bounds.require(
      betas.count == 2 && betas.allSatisfy { 0 <= $0 && $0 < 1 }, "betas", betas,
      "write two numbers from 0 to below 1, as in [0.9, 0.999]")
    bounds.require(epsilon > 0 && epsilon.isFinite, "epsilon", epsilon, "choose a small number above 0")
    bounds.requireFinite(weightDecay, "weight_decay")
    bounds.require(0 <= warmupSteps && warmupSteps <= Recipe.largestCount, "warmup_steps", warmupSteps, "choose 0 to \(Recipe.largestCount)")
    if let warmupRatio {
      bounds.require(0 <= warmupRatio && warmupRatio <= 1, "warmup_ratio", warmupRatio, "choose a share from 0 to 1")
    }
    bounds.requireFinite(maxGradNorm, "max_grad_norm")
    bounds.requireFinite(routerAuxLossCoef, "router_aux_loss_coef")
    bounds.requireFinite(routerZLossCoef, "router_z_loss_coef")
    bounds.require(0 <= labelSmoothing && labelSmoothing < 1, "label_smoothing", labelSmoothing, "choose a share from 0 to below 1")
  }

  private func checkLossScale(_ bounds: inout TrainingBounds) {
    let scale = lossScale
    bounds.requireFinite(scale.initial, "loss_scale.initial", from: scale.minimum)
    bounds.require(scale.growthFactor >= 1 && scale.growthFactor.isFinite, "loss_scale.growth_factor", scale.growthFactor, "choose 1 or more")
    bounds.require(
      0 < scale.backoffFactor && scale.backoffFactor < 1, "loss_scale.backoff_factor", scale.backoffFactor, "choose a number between 0 and 1")
    bounds.requirePositive(scale.growthInterval, "loss_scale.growth_interval")
    bounds.require(scale.minimum > 0 && scale.minimum.isFinite, "loss_scale.minimum", scale.minimum, "choose a number above 0")
  }

  private func checkIntervals(_ bounds: inout TrainingBounds) {
    bounds.require(seed >= 0, "seed", seed, "choose 0 or more")
    bounds.requirePositive(loggingSteps, "logging_steps")
    bounds.requirePositive(evalSteps, "eval_steps")
    bounds.requirePositive(saveSteps, "save_steps")
    bounds.requirePositive(saveTotalLimit, "save_total_limit")
    bounds.requirePositive(earlyStoppingPatience, "early_stopping_patience")
  }
}

/// The values of `training:` that are out of their bounds.
private struct TrainingBounds {
  private(set) var problems: [RecipeProblem] = []

  mutating func require(_ holds: Bool, _ key: String, _ value: some CustomStringConvertible, _ advice: String) {
    if !holds { problems.append(RecipeProblem("training." + key, "\(value) is impossible", advice)) }
  }

  mutating func requirePositive(_ value: Int?, _ key: String) {
    guard let value else { return }
    require(value > 0, key, value, "choose 1 or more")
    require(value <= Recipe.largestCount, key, value, "choose at most \(Recipe.largestCount)")
  }

  mutating func requireFinite(_ value: Double?, _ key: String, from least: Double = 0) {
    if let value { require(value >= least && value.isFinite, key, value, "choose a number of \(least) or more") }
  }
}
