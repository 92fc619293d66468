import Foundation
import GraftCheckpoints
import GraftRecipes
import GraftSessions
import GraftTensors
import GraftTestSupport
import GraftTraining
import Testing

/// A run in this process, of a model so small that its steps are known.
struct TinyRun: Sendable {
  var lines: [TrainingLine] = []
  var evaluations: [(step: Int, values: [String: Double])] = []
  var overview: RunOverview?
  let isInterrupted: Bool
  /// Every parameter of the trained model, end to end; none of a run that was interrupted, or whose files another process writes.
  let weights: [Double]

  static let texts = ["one two three", "red", "up and down and up", "a b c d", "green blue", "left right", "in out in out in out in"]

  /// - Parameters:
  ///   - training: keys of `training:` beside the optimizer, plain gradient descent.
  ///   - data: keys of `data:` beside the file.
  ///   - deviation: of the initial weights.
  ///   - folder: one with `data.jsonl`, where several runs share it.
  init(
    _ training: String, data: String = "packing: false, shuffle: false", deviation: Double = 0.2, count: Int = 4,
    in shared: TemporaryDirectory? = nil,
    use: UsedOutput = .refused, communicator: any Communicator = SingleProcess(), isInterrupted: () -> Bool = { false }
  ) throws {
    let folder = try shared ?? Self.folder(count: count)
    let recipe = try Recipe(
      yaml: """
        model:
          tokenizer: \(Repository.root.path)/Data/models/seedling
          config: {model_type: llama, vocab_size: 1024, hidden_size: 8, intermediate_size: 12, num_hidden_layers: 1,
                   num_attention_heads: 2, num_key_value_heads: 1, initializer_range: \(deviation)}
        method: {peft_type: FULL}
        data: {train: \(folder.path)/data.jsonl, \(data)}
        training: {optimizer: sgd, logging_steps: 1, \(training)}
        report: {html: false, tensorboard: false}
        """, file: "tiny.yaml")
    let output = folder.file("run")
    var lines: [TrainingLine] = []
    var evaluations: [(step: Int, values: [String: Double])] = []
    var overview: RunOverview?
    let outcome = try TrainingRun(recipe, output: output, use: use, communicator: communicator).run(isInterrupted: isInterrupted) { event in
      switch event {
      case .started(let found): overview = found
      case .training(.logged(let line)): lines.append(line)
      case .evaluated(let step, let values):
        evaluations.append((step, Dictionary(values.map { ($0.name, $0.value) }) { first, _ in first }))
      default: break
      }
    }
    (self.lines, self.evaluations, self.overview) = (lines, evaluations, overview)
    self.isInterrupted = outcome.isInterrupted
    guard communicator.rank == 0, !outcome.isInterrupted else {
      weights = []
      return
    }
    let file = try SafetensorsFile(output + "/model/model.safetensors")
    weights = try file.tensorNames.sorted().flatMap { try file.tensor($0).converted(to: .float32).values.map(Double.init) }
  }

  /// A folder with the first of the texts.
  static func folder(count: Int) throws -> TemporaryDirectory {
    let folder = try TemporaryDirectory()
    try folder.write(texts.prefix(count).map { "{\"text\": \"\($0)\"}\n" }.joined().utf8, to: "data.jsonl")
    return folder
  }

  /// The distance of the weights from another run's.
  func distance(from other: TinyRun) -> Double {
    zip(weights, other.weights).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }.squareRoot()
  }

  /// The weights that runs begin with: a rate of zero leaves them alone.
  static let start = Result { try TinyRun("max_steps: 1, learning_rate: 0, lr_scheduler: constant") }
}

@Suite struct TrainingRunTests {
  @Test func aWarmUpBeginsAtZero() throws {
    let start = try TinyRun.start.get()
    let keys = "learning_rate: 0.5, lr_scheduler: constant, warmup_steps: 2, max_grad_norm: null"
    #expect(try TinyRun("max_steps: 1, \(keys)").distance(from: start) == 0)
    let two = try TinyRun("max_steps: 2, \(keys)")
    #expect(two.lines.map(\.learningRate) == [0, 0.25])
    // The second step is the first that moves, by half the rate times its gradient.
    #expect(abs(two.distance(from: start) - 0.25 * two.lines[1].gradientNorm) < 1e-4 * two.lines[1].gradientNorm)
    #expect(two.lines[0].loss == two.lines[1].loss)
  }

  @Test func ratesFollowTheRecipesSchedule() throws {
    let run = try TinyRun("max_steps: 6, learning_rate: 0.01, lr_scheduler: linear, warmup_ratio: 0.3")
    for (found, expected) in zip(run.lines.map(\.learningRate), [0, 0.005, 0.01, 0.0075, 0.005, 0.0025]) { #expect(abs(found - expected) < 1e-12) }
    #expect(run.lines.count == 6)
  }

  /// The length of a step is the rate times the clipped norm of its gradient.
  @Test(arguments: [("0.01", 0.01), ("1.0e+3", nil), ("null", nil), ("0", nil)] as [(String, Double?)])
  func gradientsAreClipped(_ bound: String, _ clipped: Double?) throws {
    let run = try TinyRun("max_steps: 1, learning_rate: 0.5, lr_scheduler: constant, max_grad_norm: \(bound)")
    let norm = run.lines[0].gradientNorm
    let moved = run.distance(from: try TinyRun.start.get())
    #expect(norm > 0.02)
    #expect(abs(moved - 0.5 * (clipped ?? norm)) < 1e-3 * moved)
  }

  @Test func microBatchesAreOneBatch() throws {
    let start = try TinyRun.start.get()
    let keys = "max_steps: 2, learning_rate: 0.3, lr_scheduler: constant"
    let whole = try TinyRun("batch_size: 4, \(keys)")
    let moved = whole.distance(from: start)
    for (batch, accumulation) in [(1, 4), (2, 2), (3, 2)] {
      let parts = try TinyRun("batch_size: \(batch), gradient_accumulation_steps: \(accumulation), \(keys)")
      #expect(parts.distance(from: whole) < 1e-4 * moved)
      for (found, expected) in zip(parts.lines, whole.lines) { #expect(abs(found.loss - expected.loss) < 1e-5) }
    }
  }

  /// Weights of zero expect every token alike: each loss, of training and of evaluation, is the logarithm of their number.
  @Test func losesAreMeansOverTokens() throws {
    let run = try TinyRun(
      "max_steps: 3, batch_size: 2, gradient_accumulation_steps: 2, learning_rate: 0, eval_steps: 2", data: "packing: false, eval_fraction: 0.4",
      deviation: 0, count: 7)
    let expected = log(1024.0)
    #expect(run.overview?.exampleCount == 4 && run.overview?.evaluationCount == 3)
    #expect(run.lines.count == 3 && run.lines.allSatisfy { abs($0.loss - expected) < 1e-5 })
    #expect(run.evaluations.map(\.step) == [0, 2, 3])
    for evaluation in run.evaluations {
      #expect(abs((evaluation.values["eval_loss"] ?? 0) - expected) < 1e-5)
      #expect(abs((evaluation.values["eval_perplexity"] ?? 0) - 1024) < 1e-2)
    }
  }

  /// Epochs make whole steps, their last one smaller.
  @Test(arguments: [
    ("num_epochs: 2, batch_size: 3", 4), ("num_epochs: 0.5, batch_size: 1", 2), ("num_epochs: 1.1, batch_size: 2", 3),
    ("num_epochs: 3, batch_size: 2, gradient_accumulation_steps: 2", 3),
  ])
  func epochsMakeSteps(_ keys: String, _ steps: Int) throws {
    let run = try TinyRun("learning_rate: 0, \(keys)")
    #expect(run.overview?.stepCount == steps && run.lines.last?.step == steps)
  }
}
