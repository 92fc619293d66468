/// ORPO: preferences without a reference, beside learning the better answer (Hong, Lee and Thorne 2024).
extension PreferenceLoss {
  /// `L_SFT + λ L_OR` (eq. 6), where `L_OR = -log σ(log odds(y_w|x) / odds(y_l|x))` (eq. 7), `odds(y|x) = P / (1 - P)` (eq. 4), and
  /// `log P` is the mean over the answer's tokens (eq. 3). `λ` is `β`; `L_SFT` is the likelihood, of weight 1.
  public static let oddsRatio = PreferenceLoss(
    "orpo", defaults: PreferenceSettings(beta: 0.1, likelihoodWeight: 1), usesReference: false, reward: \.mean,
    form: .pairs { chosen, rejected, settings in
      -(settings.beta * logSigmoid(logOdds(chosen) - logOdds(rejected)))
    })

  /// `log odds(y|x) = log P - log (1 - P)`.
  private static func logOdds(_ answer: AnswerScore) -> DualNumber {
    // An answer that is certain has no odds: as far below certainty as float32 tells it.
    var mean = answer.mean
    mean.value = min(mean.value, -6e-8)
    return mean - logOneMinusExp(mean)
  }
}
