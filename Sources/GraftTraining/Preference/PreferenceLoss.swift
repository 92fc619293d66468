import GraftConfiguration

/// An answer as losses of preferences read it.
public struct AnswerScore: Sendable {
  /// `log π(y|x)`: the log-probability of the answer's tokens given the prompt, summed.
  public var policy: DualNumber
  /// `log π_ref(y|x)`, that of the reference, which is a constant; 0 for a loss that uses none.
  public var reference: Double
  /// The number of the answer's tokens, `|y|`.
  public var length: Int

  /// - Parameters:
  ///   - policy: the log-probability of the answer.
  ///   - reference: that of the reference.
  ///   - length: the number of the answer's tokens.
  public init(policy: DualNumber, reference: Double, length: Int) {
    (self.policy, self.reference, self.length) = (policy, reference, length)
  }

  /// `log π(y|x) - log π_ref(y|x)`.
  public var logRatio: DualNumber { policy - reference }
  /// `log π(y|x) / |y|`: the mean over the answer's tokens.
  public var mean: DualNumber { policy / Double(max(1, length)) }
  /// The mean over the answer's tokens of the logarithm of the ratio to the reference.
  public var meanLogRatio: DualNumber { logRatio / Double(max(1, length)) }
}

/// The numbers of a preference loss.
public struct PreferenceSettings: Sendable, Hashable {
  /// `β`: the scale of rewards. The larger it is, the less a policy leaves its reference; ORPO's `λ`.
  public var beta: Double
  /// `ε`: the probability that a pair is labelled the wrong way round.
  public var labelSmoothing = 0.0
  /// True where log-probabilities are means over an answer's tokens instead of sums.
  public var normalizesLength = false
  /// `γ`: the margin that rewards are to differ by (SimPO).
  public var margin = 0.0
  /// The factor of the mean negative log-likelihood of the better answers' tokens.
  public var likelihoodWeight: Double
  /// `λ_D`: the weight of answers that are good (KTO).
  public var desirableWeight = 1.0
  /// `λ_U`: the weight of answers that are bad (KTO).
  public var undesirableWeight = 1.0

  /// - Parameters:
  ///   - beta: the scale of rewards.
  ///   - likelihoodWeight: the factor of the better answers' likelihood.
  public init(beta: Double, likelihoodWeight: Double = 0) { (self.beta, self.likelihoodWeight) = (beta, likelihoodWeight) }
}

/// A loss of preferences, by the name that `preference.loss` has for it.
///
/// A program can add losses of its own; a recipe then names them.
public struct PreferenceLoss: Sendable {
  /// The loss of a pair, `y_w` preferred to `y_l`.
  public typealias OfPair = @Sendable (_ chosen: AnswerScore, _ rejected: AnswerScore, _ settings: PreferenceSettings) -> DualNumber
  /// The loss of an answer that is good or bad; the baseline is `z_0`, how far the policy is from its reference at all.
  public typealias OfAnswer =
    @Sendable (
      _ answer: AnswerScore, _ isDesirable: Bool, _ baseline: Double, _ settings: PreferenceSettings
    ) -> DualNumber

  /// The form of the data, and the loss of one example of it.
  public enum Form: Sendable {
    /// A better answer and a worse one.
    case pairs(OfPair)
    /// Single answers with a label.
    case answers(OfAnswer)
  }

  /// The keys that only some losses read, by their names in recipes.
  public enum Option: String, Sendable, Hashable, CaseIterable {
    /// The probability that a pair is labelled the wrong way round.
    case labelSmoothing = "label_smoothing"
    /// Means over tokens in place of sums.
    case normalizesLength = "length_normalized"
    /// The margin between rewards.
    case margin = "gamma"
    /// The weight of good answers.
    case desirableWeight = "desirable_weight"
    /// The weight of bad answers.
    case undesirableWeight = "undesirable_weight"
  }

  /// The value of `preference.loss`.
  public let name: String
  /// The settings of a recipe that says nothing.
  public let defaults: PreferenceSettings
  /// The settings that it reads beside `β` and the weight of the likelihood.
  public let options: Set<Option>
  /// True where answers are compared with what a reference says of them.
  public let usesReference: Bool
  /// The loss of one example.
  public let form: Form
  /// The reward that the loss implies for an answer, without the factor `β`.
  let reward: @Sendable (AnswerScore) -> DualNumber

  /// - Parameters:
  ///   - name: the name in recipes.
  ///   - defaults: the settings of a recipe that says nothing.
  ///   - options: the settings that it reads beside `β` and the weight of the likelihood.
  ///   - usesReference: true where answers are compared with what a reference says of them.
  ///   - reward: the reward that the loss implies for an answer, without the factor `β`.
  ///   - form: the loss of one example.
  public init(
    _ name: String, defaults: PreferenceSettings, options: Set<Option> = [], usesReference: Bool,
    reward: @escaping @Sendable (AnswerScore) -> DualNumber, form: Form
  ) {
    (self.name, self.defaults, self.options, self.usesReference) = (name, defaults, options, usesReference)
    (self.reward, self.form) = (reward, form)
  }

  /// True where answers stand alone with a label, instead of in pairs.
  public var judgesSingleAnswers: Bool { if case .answers = form { true } else { false } }
}

extension PreferenceLoss {
  private static let registry = Registry(
    "preference.loss", [directPreference, hinge, identityPreference, robust, oddsRatio, simple, contrastive, kahnemanTversky]
  ) { $0.name }

  /// The names of all losses.
  public static var names: [String] { registry.names }

  /// Adds a loss of the program's own, before it reads a recipe that names it.
  /// - Throws: `RegistryError` where its name is taken.
  public static func register(_ loss: PreferenceLoss) throws(RegistryError) { try registry.register(loss) }

  /// The loss of a name.
  /// - Throws: `ConfigError` where there is no such loss.
  public static func named(_ name: String) throws(ConfigError) -> PreferenceLoss {
    guard let loss = registry[name] else {
      throw ConfigError(location: nil, path: ["preference", "loss"], problem: "unknown value '\(name)'", advice: registry.advice(for: name))
    }
    return loss
  }
}
