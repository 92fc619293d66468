import GraftSessions
import GraftTensors
import GraftTestSupport
import GraftTraining
import Testing

/// A thread that stands for a process.
private struct ThreadRank: Communicator {
  let meeting: Meeting
  let rank: Int
  var size: Int { meeting.size }

  func sum(_ values: inout [Double]) { values = meeting.sum(values, of: rank) }

  func sum(_ gradients: inout Gradients, of parameters: [Parameter]) {
    for parameter in parameters {
      let own = gradients[parameter]?.values ?? Array(repeating: 0, count: parameter.shape.elementCount)
      gradients[parameter] = Tensor(meeting.sum(own.map(Double.init), of: rank).map(Float.init), parameter.shape)
    }
  }
}

/// A run that two processes share: each reads the recipe and the data, one writes.
@Suite struct SharedRunTests {
  private static let keys = """
    max_steps: 4, batch_size: 1, gradient_accumulation_steps: 4, learning_rate: 0.3, lr_scheduler: constant, eval_steps: 1, save_steps: 2
    """
  private static let data = "packing: false, eval_fraction: 0.4"

  private func run(_ meeting: Meeting, in folder: TemporaryDirectory, use: UsedOutput = .refused, stopping stop: Int? = nil) async throws -> [TinyRun]
  {
    try await meeting.run { rank in
      var asked = 0
      return try TinyRun(
        Self.keys, data: Self.data, in: folder, use: use, communicator: ThreadRank(meeting: meeting, rank: rank),
        isInterrupted: {
          asked += 1
          return rank == 1 && stop.map { asked > $0 } ?? false
        })
    }
  }

  @Test func severalProcessesRunAsOne() async throws {
    let one = try TinyRun(Self.keys, data: Self.data, count: 7)
    let start = try TinyRun("max_steps: 1, learning_rate: 0", data: Self.data, count: 7)
    let folder = try TinyRun.folder(count: 7)
    let runs = try await run(Meeting(size: 2), in: folder)
    #expect(runs[0].distance(from: one) < 1e-4 * one.distance(from: start))
    #expect(runs.allSatisfy { $0.lines.map(\.loss) == runs[0].lines.map(\.loss) && $0.lines.count == 4 })
    for (found, expected) in zip(runs[1].evaluations, one.evaluations) {
      #expect(found.step == expected.step && found.values.count == expected.values.count)
      for (name, value) in expected.values { #expect(abs((found.values[name] ?? .nan) - value) < 1e-4 * max(1, value), "\(name)") }
    }
    #expect(runs[1].evaluations.count == one.evaluations.count)
    // One process has written, and once.
    let log = try String(contentsOfFile: folder.file("run/metrics.jsonl"), encoding: .utf8)
    #expect(log.split(separator: "\n").count == 4 + one.evaluations.count)
  }

  /// One process is asked to stop, all do; they go on together and end where they would have.
  @Test func allStopWhereOneIsAskedTo() async throws {
    let whole = try TinyRun(Self.keys, data: Self.data, count: 7)
    let folder = try TinyRun.folder(count: 7)
    let meeting = Meeting(size: 2)
    let stopped = try await run(meeting, in: folder, stopping: 5)
    let counts = Set(stopped.map(\.lines.count))
    #expect(stopped.map(\.isInterrupted) == [true, true])
    #expect(counts.count == 1 && counts.isSubset(of: 1...3), "\(counts) lines")
    let resumed = try await run(meeting, in: folder, use: .resumed)
    #expect(resumed.allSatisfy { !$0.isInterrupted })
    #expect(stopped[0].lines.count + resumed[0].lines.count == 4)
    #expect(resumed[0].distance(from: whole) < 1e-4)
  }
}
