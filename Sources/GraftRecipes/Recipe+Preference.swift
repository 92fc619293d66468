extension Recipe {
  /// The `preference:` section: the loss by which answers are preferred. Where a number is nil, the loss's own default counts.
  public struct Preference: Codable, Sendable, Equatable {
    /// The name of the loss.
    public var loss = "dpo"
    /// The scale of rewards, ORPO's lambda.
    public var beta: Double?
    /// The probability that a pair is labelled the wrong way round.
    public var labelSmoothing: Double?
    /// True where log-probabilities are means over an answer's tokens.
    public var lengthNormalized: Bool?
    /// The margin between rewards (SimPO).
    public var gamma: Double?
    /// The weight of the likelihood of the better answers.
    public var sftWeight: Double?
    /// The weight of good answers (KTO).
    public var desirableWeight: Double?
    /// The weight of bad answers (KTO).
    public var undesirableWeight: Double?

    /// The section's defaults.
    public init() {}
  }

  /// Everything impossible in the `preference:` section, and beside the task of that name.
  func preferenceProblems() -> [RecipeProblem] {
    guard task == .preference else {
      guard preference != Preference() else { return [] }
      return [RecipeProblem("preference", "not for \(task.rawValue)", "set task: preference, or leave it out")]
    }
    var problems: [RecipeProblem] = []
    if !data.completionOnlyLoss {
      problems.append(RecipeProblem("data.completion_only_loss", "preferences are of answers, not of prompts", "leave it out"))
    }
    if training.labelSmoothing > 0 {
      problems.append(RecipeProblem("training.label_smoothing", "not for preferences", "set preference.label_smoothing, or leave it out"))
    }
    if training.loss != nil { problems.append(RecipeProblem("training.loss", "not for preferences", "set preference.loss, or leave it out")) }
    return problems + preference.problems()
  }
}

extension Recipe.Preference {
  fileprivate func problems() -> [RecipeProblem] {
    var problems: [RecipeProblem] = []
    func require(_ value: Double?, _ key: String, _ advice: String, _ holds: (Double) -> Bool) {
      guard let value, !(value.isFinite && holds(value)) else { return }
      problems.append(RecipeProblem("preference." + key, "\(value) is impossible", advice))
    }
    require(beta, "beta", "choose a number above 0") { $0 > 0 }
    require(labelSmoothing, "label_smoothing", "choose a probability from 0 to below 0.5") { $0 >= 0 && $0 < 0.5 }
    for (value, key) in [
      (gamma, "gamma"), (sftWeight, "sft_weight"), (desirableWeight, "desirable_weight"), (undesirableWeight, "undesirable_weight"),
    ] { require(value, key, "choose 0 or more") { $0 >= 0 } }
    return problems
  }
}
