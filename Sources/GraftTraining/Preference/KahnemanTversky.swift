/// KTO: answers that are good or bad, without pairs (Ethayarajh et al. 2024).
extension PreferenceLoss {
  /// `λ_y - v(x, y)` (section 4.1): `λ_D (1 - σ(β (r - z_0)))` for a good answer and `λ_U (1 - σ(β (z_0 - r)))` for a bad one, where `r` is
  /// the answer's log-ratio to the reference.
  public static let kahnemanTversky = PreferenceLoss(
    "kto", defaults: PreferenceSettings(beta: 0.1), options: [.desirableWeight, .undesirableWeight], usesReference: true, reward: \.logRatio,
    form: .answers { answer, isDesirable, baseline, settings in
      isDesirable
        ? settings.desirableWeight * (1 - sigmoid(settings.beta * (answer.logRatio - baseline)))
        : settings.undesirableWeight * (1 - sigmoid(settings.beta * (baseline - answer.logRatio)))
    })
}
