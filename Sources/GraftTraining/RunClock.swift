/// The time that training has taken, and its speed.
struct RunClock {
  private(set) var tokens: Int
  private var start = ContinuousClock.now
  private var pace = StepPace()
  private let earlierSeconds: Double

  init(tokens: Int, seconds: Double) { (self.tokens, earlierSeconds) = (tokens, seconds) }

  mutating func count(_ more: Int) {
    tokens += more
    pace.count(at: sinceStart)
  }

  mutating func leaveOut(_ duration: Duration) { start += duration }

  private var sinceStart: Double { (ContinuousClock.now - start) / .seconds(1) }
  var elapsed: Double { earlierSeconds + sinceStart }
  var tokensPerSecond: Double { Double(tokens) / max(elapsed, 1e-9) }
  var secondsPerStep: Double { pace.secondsPerStep }
}
