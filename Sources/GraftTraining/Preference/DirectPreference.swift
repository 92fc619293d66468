/// Direct preference optimization and its relatives: rewards are `β log π(y|x) / π_ref(y|x)` (Rafailov et al. 2023, eq. 5).
extension PreferenceLoss {
  private static let defaults = PreferenceSettings(beta: 0.1)

  /// DPO (Rafailov et al. 2023, eq. 7), `-log σ(β h)` of the difference `h` of the answers' log-ratios; with label smoothing its
  /// conservative form (Mitchell 2023), `-(1 - ε) log σ(β h) - ε log σ(-β h)`.
  public static let directPreference = PreferenceLoss(
    "dpo", defaults: defaults, options: [.labelSmoothing, .normalizesLength], usesReference: true, reward: \.logRatio,
    form: .pairs { chosen, rejected, settings in
      smoothed(settings.beta * difference(chosen, rejected, settings), settings.labelSmoothing)
    })

  /// SLiC's hinge (Zhao et al. 2023) on the same rewards, `max(0, 1 - β h)`.
  public static let hinge = PreferenceLoss(
    "hinge", defaults: defaults, options: [.normalizesLength], usesReference: true, reward: \.logRatio,
    form: .pairs { chosen, rejected, settings in
      (1 - settings.beta * difference(chosen, rejected, settings)).positivePart
    })

  /// IPO (Azar et al. 2023, eq. 17), `(h - 1 / 2τ)²`, in which `β` is `τ` and the log-ratios of `h` are means over tokens, as its authors
  /// computed it.
  public static let identityPreference = PreferenceLoss(
    "ipo", defaults: defaults, usesReference: true, reward: \.logRatio,
    form: .pairs { chosen, rejected, settings in
      (chosen.meanLogRatio - rejected.meanLogRatio - 1 / (2 * settings.beta)).squared
    })

  /// Robust DPO (Chowdhury et al. 2024): the loss whose mean over labels that are wrong with the probability `ε` is DPO's on
  /// right ones, `(-(1 - ε) log σ(β h) + ε log σ(-β h)) / (1 - 2 ε)`.
  public static let robust = PreferenceLoss(
    "robust", defaults: defaults, options: [.labelSmoothing, .normalizesLength], usesReference: true, reward: \.logRatio,
    form: .pairs { chosen, rejected, settings in
      let (margin, noise) = (settings.beta * difference(chosen, rejected, settings), settings.labelSmoothing)
      return (-((1 - noise) * logSigmoid(margin)) + noise * logSigmoid(-margin)) / (1 - 2 * noise)
    })

  /// `h`: the difference of the log-ratios, or of their means over tokens.
  private static func difference(_ chosen: AnswerScore, _ rejected: AnswerScore, _ settings: PreferenceSettings) -> DualNumber {
    settings.normalizesLength ? chosen.meanLogRatio - rejected.meanLogRatio : chosen.logRatio - rejected.logRatio
  }

  /// `-(1 - ε) log σ(x) - ε log σ(-x)`: the cross-entropy of a pair whose label is wrong with the probability `ε`.
  static func smoothed(_ x: DualNumber, _ noise: Double) -> DualNumber { -((1 - noise) * logSigmoid(x)) - noise * logSigmoid(-x) }
}
