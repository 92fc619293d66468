/// The pace of the last steps, by which the time that is left is told: the first steps, and those of a machine that was busy, do not count for ever.
package struct StepPace: Sendable {
  /// The seconds of training at which the last steps ended, at most one more than `window`.
  private var ends: [Double] = []

  /// The number of steps whose mean is the pace.
  package static let window = 32

  package init() {}

  /// Counts a step.
  /// - Parameter seconds: of training, at its end.
  package mutating func count(at seconds: Double) {
    ends.append(seconds)
    if ends.count > Self.window + 1 { ends.removeFirst() }
  }

  /// Seconds a step; those of the only one where there is no more, and 0 before it.
  package var secondsPerStep: Double {
    guard let first = ends.first, let last = ends.last else { return 0 }
    return ends.count > 1 ? (last - first) / Double(ends.count - 1) : last
  }
}
