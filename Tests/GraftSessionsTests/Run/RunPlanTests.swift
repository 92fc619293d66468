import GraftAdapters
import GraftRecipes
import GraftSessions
import GraftTestSupport
import Testing

/// A run is settled before anything is computed, and what can be told without a file is told before any is read.
@Suite struct RunPlanTests {
  private static let head = """
    model: {path: /nowhere/model}
    data: {train: /nowhere/data.jsonl, packing: false, max_length: 16}

    """

  private func settings(_ rest: String) throws -> RunSettings { try RunSettings(try Recipe(yaml: Self.head + rest, file: "r.yaml")) }

  private func examples(_ lengths: Int...) -> RunPlan.Data.Examples { .known(packedLengths: lengths, tokenCounts: lengths) }

  @Test(arguments: [
    ("method: {peft_type: LORA, lora_alhpa: 3}", "r.yaml:3: method.lora_alhpa: unknown key; did you mean 'lora_alpha'?"),
    ("method: {peft_type: LORRA}", "r.yaml:3: method.peft_type: unknown peft_type \"LORRA\"; did you mean 'LORA'?"),
    ("method: {peft_type: IA3}\ntraining: {loraplus_lr_ratio: 4}", "r.yaml:4: training.loraplus_lr_ratio: IA3 has no A and B factors"),
    ("training: {load_best_model_at_end: true}", "r.yaml:3: training.load_best_model_at_end: there are no held-out examples"),
  ])
  func `faults of the recipe are told before a file is read`(_ rest: String, _ message: String) throws {
    let recipe = try Recipe(yaml: Self.head + rest, file: "r.yaml")
    let directory = try TemporaryDirectory()
    let found = complaint { _ = try TrainingRun(recipe, output: directory.file("run")) }
    #expect(found.hasPrefix(message), "\(found)")
    #expect(directory.entries.isEmpty)
  }

  @Test func `random weights without a tokenizer are refused before they are drawn`() throws {
    let recipe = try Recipe(yaml: "model: {config: {model_type: llama}}\ndata: {train: /nowhere/data.jsonl}\n", file: "r.yaml")
    let error = try #require(throws: SessionError.self) { try RunSettings(recipe) }
    #expect(error.kind == .usage && error.description.hasPrefix("model.tokenizer: missing"))
  }

  @Test func `steps, rates and sizes follow from recipe and lengths`() throws {
    let plan = try RunPlan(
      settings("training: {num_epochs: 2.5, batch_size: 2, gradient_accumulation_steps: 2, warmup_ratio: 0.2, learning_rate: 0.5}"),
      for: .init(examples(3, 9, 4, 4, 16, 2, 5), evaluationCount: 3))
    // Seven examples are four micro-batches, which are two steps an epoch.
    #expect(plan.batches?.stepsPerEpoch == 2 && plan.stepCount == 5 && plan.exampleCount == 7 && plan.evaluationCount == 3)
    #expect(plan.schedule.warmupSteps == 1 && plan.schedule.peak == 0.5 && plan.schedule.totalSteps == 5 && !plan.keepsBest)
    #expect(plan.largestBatch >= 18 && plan.largestBatch <= 25)
    #expect(plan.firstState.stepCount == 5 && plan.firstState.step == 0)
    let limited = try RunPlan(settings("training: {max_steps: 3}\nmethod: {peft_type: VERA}"), for: .init(examples(3, 9)))
    #expect(limited.stepCount == 3 && limited.schedule.peak == VeRA.defaultLearningRate && limited.settings.method is VeRA)
  }

  @Test func `the best weights are kept where evaluations can tell them`() throws {
    func keepsBest(_ training: String, hasSelection: Bool = true, isReported: Bool = false) throws -> Bool {
      let data = RunPlan.Data(examples(1, 1, 1, 1), hasSelection: hasSelection, isReported: isReported)
      return try RunPlan(try settings("training: {batch_size: 1, \(training)}"), for: data).keepsBest
    }
    #expect(try keepsBest("eval_steps: 2") && !keepsBest("eval_steps: 4") && !keepsBest("eval_steps: 2", hasSelection: false))
    #expect(try !keepsBest("eval_steps: 2", isReported: true) && !keepsBest("eval_steps: 2, load_best_model_at_end: false"))
    #expect(try !keepsBest("seed: 1"))
    let plan = try RunPlan(settings("training: {metric_for_best_model: accuracy}"), for: .init(examples(1)))
    #expect(plan.selection.metric == "eval_accuracy" && plan.selection.isGreaterBetter && plan.loopSettings.patience == nil)
  }

  @Test func `more steps than can be counted are refused`() throws {
    #expect(throws: SessionError.self) {
      try RunPlan(settings("training: {num_epochs: 2000000000, batch_size: 1}"), for: .init(examples(1, 1)))
    }
  }
}
