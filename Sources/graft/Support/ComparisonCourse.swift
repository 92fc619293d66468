import GraftReports

/// The runs of a comparison that are done, and the time that is left for the others.
struct ComparisonCourse {
  /// All runs, those that choose learning rates among them.
  var runCount = 0
  /// The seconds that are left of the steps of the run that goes on.
  var secondsLeftOfRun: Double?
  private var doneCount = 0
  private var measured: [Double] = []
  private var start: ContinuousClock.Instant?

  mutating func begin() { (start, secondsLeftOfRun) = (.now, nil) }

  /// - Parameter isReused: true where an earlier call did the run, which took no time now.
  mutating func end(isReused: Bool) {
    doneCount += 1
    if let start, !isReused { measured.append((ContinuousClock.now - start) / .seconds(1)) }
    (start, secondsLeftOfRun) = (nil, nil)
  }

  /// `3/24`, of the runs that are done.
  var place: String { "\(doneCount)/\(runCount)" }

  /// `4/24`, of the run that goes on.
  var current: String { "\(min(doneCount + 1, runCount))/\(runCount)" }

  /// `2 min 5 s left`: a mean run for each that is left; of the first run only its own steps are known. Nil where nothing is.
  var outlook: String? {
    let waiting = runCount - doneCount - (start == nil ? 0 : 1)
    guard !measured.isEmpty else {
      guard let secondsLeftOfRun, let start else { return nil }
      let run = (ContinuousClock.now - start) / .seconds(1) + secondsLeftOfRun
      return words(secondsLeftOfRun + run * Double(waiting))
    }
    let mean = measured.reduce(0, +) / Double(measured.count)
    // Behind the steps of a run comes its evaluation, which a mean run has in it.
    let own = start.map { max(secondsLeftOfRun ?? 0, mean - (ContinuousClock.now - $0) / .seconds(1)) } ?? 0
    let left = own + mean * Double(waiting)
    return waiting == 0 && start == nil ? nil : words(left)
  }

  private func words(_ seconds: Double) -> String { "\(Figure.duration(seconds: seconds)) left" }
}
