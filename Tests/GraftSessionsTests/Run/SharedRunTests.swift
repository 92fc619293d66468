import GraftRecipes
import GraftSessions
import GraftTensors
import GraftTestSupport
import GraftTraining
import GraftTrainingTestSupport
import Testing

/// A run that two processes share: each reads the recipe and the data, one writes.
@Suite struct SharedRunTests {
  private static let keys = """
    max_steps: 4, batch_size: 1, gradient_accumulation_steps: 4, learning_rate: 0.3, lr_scheduler: constant, eval_steps: 1, save_steps: 2
    """
  private static let data = "packing: false, eval_fraction: 0.4"

  private func run(_ meeting: Meeting, in folder: TemporaryDirectory, use: UsedOutput = .refused, stopping stop: Int? = nil) async throws -> [TinyRun]
  {
    try await meeting.run { rank in
      try TinyRun(
        Self.keys, data: Self.data, in: folder, use: use, communicator: ThreadRank(meeting: meeting, rank: rank),
        isInterrupted: { rank == 1 && $0 == stop })
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
    let stopped = try await run(meeting, in: folder, stopping: 2)
    #expect(stopped.allSatisfy(\.isInterrupted) && stopped.allSatisfy { $0.lines.count == 2 })
    let resumed = try await run(meeting, in: folder, use: .resumed)
    #expect(resumed.allSatisfy { !$0.isInterrupted })
    #expect(stopped[0].lines.count + resumed[0].lines.count == 4)
    #expect(resumed[0].distance(from: whole) < 1e-4)
  }

  /// Each process takes its memory, and refuses what it has not before the others wait for it.
  @Test(arguments: [0, 1]) func everyProcessLooksForItsMemory(rank: Int) throws {
    let folder = try TinyRun.folder(count: 2)
    let recipe = try Recipe(
      yaml: """
        model: {path: \(Repository.root.path)/Data/models/seedling}
        method: {peft_type: LORA, r: 2000000000}
        data: {train: \(folder.path)/data.jsonl}
        """, file: "large.yaml")
    let rank = ThreadRank(meeting: Meeting(size: 2), rank: rank)
    #expect(throws: MemoryError.self) { try TrainingRun(recipe, output: folder.file("run"), communicator: rank) }
  }
}
