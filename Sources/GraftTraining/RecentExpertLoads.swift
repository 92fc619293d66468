import GraftLayers

/// The rows that experts were sent in the last steps of a training: in the last 50, and in up to 50 before them.
///
/// Steps are counted in one window after another, of which the last two are kept: so a checkpoint holds two tables, not one for each step.
public struct RecentExpertLoads: Sendable, Equatable {
  /// Steps that are counted together.
  public struct Window: Sendable, Equatable {
    /// The number of steps.
    public var stepCount: Int
    /// The loads of the layers with experts.
    public var layers: [ExpertLoad]

    /// So many steps with their loads.
    public init(stepCount: Int = 0, layers: [ExpertLoad] = []) {
      self.stepCount = stepCount
      self.layers = layers
    }
  }

  /// The number of steps of a window.
  static let windowLength = 50

  /// A full window, once there is one, and the one that steps are added to.
  public private(set) var windows: [Window]

  /// The windows that a training goes on with.
  public init(_ windows: [Window] = []) { self.windows = windows }

  /// Counts a step; one without experts does not count.
  mutating func count(_ loads: [ExpertLoad]) {
    guard !loads.isEmpty else { return }
    if (windows.last?.stepCount ?? Self.windowLength) >= Self.windowLength { windows = windows.suffix(1) + [Window()] }
    let last = windows.count - 1
    windows[last].stepCount += 1
    windows[last].layers.add(loads)
  }

  /// The number of steps that the loads are of.
  public var stepCount: Int { windows.reduce(0) { $0 + $1.stepCount } }

  /// The loads of both windows, layer by layer; none of a model without experts.
  public var layers: [ExpertLoad] { windows.reduce(into: []) { $0.add($1.layers) } }

  /// The mean over layers of the largest load as a multiple of the mean one; nil without experts.
  public var imbalance: Double? {
    let layers = layers
    return layers.isEmpty ? nil : layers.reduce(0) { $0 + $1.imbalance } / Double(layers.count)
  }
}
