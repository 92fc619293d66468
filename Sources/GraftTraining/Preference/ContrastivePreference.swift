/// CPO: DPO with a uniform reference, beside learning the better answer (Xu et al. 2024).
extension PreferenceLoss {
  /// `L_prefer + L_NLL`, where `L_prefer = -log σ(β log π(y_w|x) - β log π(y_l|x))` (eq. 3); `L_NLL` is the likelihood, of weight 1.
  public static let contrastive = PreferenceLoss(
    "cpo", defaults: PreferenceSettings(beta: 0.1, likelihoodWeight: 1), options: [.labelSmoothing], usesReference: false, reward: \.policy,
    form: .pairs { chosen, rejected, settings in
      smoothed(settings.beta * (chosen.policy - rejected.policy), settings.labelSmoothing)
    })
}
