import GraftTensors

extension TrainingError {
  /// The error of a step whose loss or gradient is not finite.
  ///
  /// - Parameters:
  ///   - step: counted from 1.
  ///   - isOfLoss: true where the loss is not finite, rather than a gradient alone.
  ///   - finding: the operation and the tensor that began it; nil where other processes computed them.
  ///   - settings: those of the training, which the advice depends on.
  static func divergence(step: Int, isOfLoss: Bool, _ finding: NonFiniteSearch.Finding?, in settings: Trainer.Settings) -> TrainingError {
    let cause = finding.map { ": \($0)" } ?? ""
    let advice = advice(for: finding, in: settings)
    return TrainingError(.diverged, "step \(step): the \(isOfLoss ? "loss" : "gradient") is not finite\(cause); \(advice)")
  }

  private static func advice(for finding: NonFiniteSearch.Finding?, in settings: Trainer.Settings) -> String {
    if case .parameter(_, isTrainable: false) = finding?.kind { return "take weights that are finite" }
    var changes = ["lower training.learning_rate", "raise training.warmup_steps"]
    if settings.maxGradientNorm ?? 0 == 0 { changes.append("set training.max_grad_norm") }
    if settings.arithmetic == .float16 { changes.insert("set training.precision: bf16, whose range is float32's", at: 0) }
    return changes.dropLast().joined(separator: ", ") + ", or " + (changes.last ?? "")
  }
}
