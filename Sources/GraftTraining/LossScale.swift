/// Dynamic loss scaling: float16 gradients are multiplied by a scale that keeps them in its range (Micikevicius et al. 2018, section 3.2).
///
/// The rule and its defaults are those of torch's `GradScaler`.
public struct LossScale: Sendable, Equatable {
  /// The rule's numbers.
  public struct Settings: Sendable, Equatable {
    /// The scale of the first step.
    public var initial: Double
    /// The factor by which the scale grows.
    public var growthFactor: Double
    /// The factor by which the scale shrinks where gradients overflow.
    public var backoffFactor: Double
    /// Updates in a row after which the scale grows.
    public var growthInterval: Int
    /// The least scale: gradients that overflow even with it end the training.
    public var minimum: Double

    /// The rule with torch's names and defaults.
    public init(
      initial: Double = 65536, growthFactor: Double = 2, backoffFactor: Double = 0.5, growthInterval: Int = 2000, minimum: Double = 1
    ) {
      (self.initial, self.growthFactor, self.backoffFactor) = (initial, growthFactor, backoffFactor)
      (self.growthInterval, self.minimum) = (growthInterval, minimum)
    }
  }

  /// The point that it has come to.
  public struct State: Sendable, Equatable {
    /// The factor of the next step's loss.
    public var scale: Double
    /// Updates since the scale last changed.
    public var updatesSinceChange: Int
    /// Steps whose update was left out since the run began.
    public var skippedSteps: Int

    /// - Parameter scale: the factor of the next step's loss.
    public init(scale: Double, updatesSinceChange: Int = 0, skippedSteps: Int = 0) {
      (self.scale, self.updatesSinceChange, self.skippedSteps) = (scale, updatesSinceChange, skippedSteps)
    }
  }

  /// The numbers of the rule.
  public let settings: Settings
  /// The factor, and the updates that led to it.
  public private(set) var state: State

  /// - Parameter state: that of a checkpoint; nil begins anew.
  public init(_ settings: Settings = Settings(), state: State? = nil) {
    self.settings = settings
    self.state = state ?? State(scale: settings.initial)
  }

  /// True where nothing smaller may be tried.
  var isAtMinimum: Bool { state.scale <= settings.minimum }

  /// Takes the fate of a step into account.
  mutating func update(overflowed: Bool) {
    if overflowed {
      state.scale = max(settings.minimum, state.scale * settings.backoffFactor)
      state.updatesSinceChange = 0
      state.skippedSteps += 1
      return
    }
    state.updatesSinceChange += 1
    guard state.updatesSinceChange == settings.growthInterval else { return }
    let grown = state.scale * settings.growthFactor
    // As torch does: a scale that is not a float32 any more stays.
    if Float(grown).isFinite { state.scale = grown }
    state.updatesSinceChange = 0
  }
}
