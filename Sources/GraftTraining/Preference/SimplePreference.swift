/// SimPO: preferences without a reference, with rewards that are means over tokens (Meng, Xia and Chen 2024).
extension PreferenceLoss {
  /// `-log σ(β/|y_w| log π(y_w|x) - β/|y_l| log π(y_l|x) - γ)` (eq. 6); `β` and `γ` default to the smaller of the paper's values.
  public static let simple = PreferenceLoss(
    "simpo", defaults: withMargin, options: [.margin, .labelSmoothing], usesReference: false, reward: \.mean,
    form: .pairs { chosen, rejected, settings in
      smoothed(settings.beta * (chosen.mean - rejected.mean) - settings.margin, settings.labelSmoothing)
    })

  private static var withMargin: PreferenceSettings {
    var settings = PreferenceSettings(beta: 2)
    settings.margin = 0.5
    return settings
  }
}
