import GraftBatching
import GraftLayers
import GraftOptimizers
import GraftTensors
import GraftTraining
import GraftTrainingTestSupport
import Testing

@Suite struct CommunicatorTests {
  private struct Course: Sendable, Equatable {
    var path: [[Double]] = []
    var losses: [Double] = []
    var norms: [Double] = []
    var tokens: [Int] = []
    var auxiliary: [Double] = []
    var loads: [[Int]] = []
  }

  /// Steps of five micro-batches of unequal sizes, with a penalty and dropout.
  private static func course(_ communicator: any Communicator) throws -> Course {
    let quadratic = Quadratic(start: [5, -3], goals: [[1, 0], [3, -2], [-1, 4], [0, 2]])
    let data = Goals(examples: [[0], [1, 2, 3, 1], [2, -1], [-1, -1], [3, 3, 0]])
    let settings = Trainer.Settings(
      schedule: LearningRateSchedule(.constant, peak: 0.2, totalSteps: 4), maxGradientNorm: 1, loggingSteps: 1, recomputation: false, seed: 0)
    let trainer = Trainer(
      Optimizer(SGD(), parameters: [quadratic.weight]), settings: settings, hooks: Trainer.Hooks(penalty: { 0.1 * sum(quadratic.weight.operand) }),
      communicator: communicator
    ) { batch, pass, scale in
      pass.auxiliary?.add(loss: Tensor([Float(batch.lossTokenCount)], []), times: 0, as: "aux_loss")
      pass.auxiliary?.leave(ExpertLoad(path: "layer", rows: [batch.lossTokenCount, 1]))
      return quadratic.loss(batch, pass, scale) + 0.01 * sum(pass.dropout(quadratic.weight.operand, 0.5, at: "here"))
    }
    var course = Course()
    for step in data.plan(1, 5).steps(0..<4) {
      try trainer.run(step, batch: data.batch) { event in
        guard case .logged(let line) = event else { return }
        course.losses.append(line.loss)
        course.norms.append(line.gradientNorm)
        course.tokens.append(line.tokens)
        course.auxiliary.append(line.auxiliaryLosses.first?.value ?? 0)
      }
      course.path.append(quadratic.values)
    }
    course.loads = trainer.progress.expertLoads.layers.map(\.rows)
    return course
  }

  /// Processes that share the micro-batches of every step do what one does, to rounding, and each has the same weights to the bit.
  @Test(arguments: [2, 3, 6]) func severalProcessesTrainAsOne(size: Int) async throws {
    let one = try Self.course(SingleProcess())
    let meeting = Meeting(size: size)
    let courses = try await meeting.run { try Self.course(ThreadRank(meeting: meeting, rank: $0)) }
    #expect(one.loads == [[36, 16]] && one.auxiliary.allSatisfy { abs($0 - 3) < 1e-9 })
    // A process without a micro-batch has the sums, but not their names.
    for course in courses where size < 6 || !course.loads.isEmpty {
      #expect(isClose(course.auxiliary, one.auxiliary) && course.loads == one.loads)
    }
    #expect(courses.contains { $0.loads == one.loads })
    for course in courses {
      #expect(course.path == courses[0].path && course.losses == courses[0].losses && course.norms == courses[0].norms)
      for (found, expected) in zip(course.path, one.path) { #expect(isClose(found, expected)) }
      #expect(course.path.count == 4 && isClose(course.losses, one.losses) && isClose(course.norms, one.norms) && course.tokens == one.tokens)
    }
  }
}
