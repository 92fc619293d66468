import GraftTraining
import Testing

/// The time that is left is told by the last steps.
@Suite struct StepPaceTests {
  @Test func earlyStepsDoNotCountForEver() {
    var pace = StepPace()
    #expect(pace.secondsPerStep == 0)
    pace.count(at: 10)
    #expect(pace.secondsPerStep == 10)
    // The first step alone took long.
    pace.count(at: 11)
    #expect(pace.secondsPerStep == 1)
    var seconds = 11.0
    for _ in 0..<StepPace.window {
      seconds += 4
      pace.count(at: seconds)
    }
    #expect(pace.secondsPerStep == 4)
  }
}
