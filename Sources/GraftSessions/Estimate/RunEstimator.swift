import GraftAdapters
import GraftBatching
import GraftDatasets
import GraftLayers
import GraftRecipes
import GraftTensors
import GraftTraining

/// Predicts what a run takes from its plan, the shapes of its model, and a few layers of a step computed on this machine.
struct RunEstimator {
  let plan: RunPlan
  let data: RunData
  /// The recipe's model without weights.
  let outline: TrainableBase
  /// True where the model of the run is in memory already.
  let isLoaded: Bool

  /// - Parameter comparesAlternatives: true where changes that take less memory are estimated, too.
  /// - Throws: what making the method, or reading examples, throws.
  func estimate(comparesAlternatives: Bool) throws -> RunEstimate {
    let sample = try data.sample(plan.batches)
    BufferPool.shared.trim()
    let now = Double(ProcessMemory.residentBytes)
    var estimate = try self.estimate(plan.settings, on: outline, sample, resident: now)
    guard comparesAlternatives || !estimate.fits else { return estimate }
    estimate.alternatives = try Self.changes.compactMap { change in
      var recipe = plan.settings.recipe
      guard change(&recipe) else { return nil }
      let settings = try RunSettings(recipe)
      let base = try TrainableBase(outlining: settings, labels: data.labels)
      // The same examples, in smaller micro-batches of which there are more.
      let share = Double(recipe.training.batchSize) / Double(plan.settings.recipe.training.batchSize)
      let found = try self.estimate(settings, on: base, sample.scaled(by: share), resident: now)
      return RunEstimate.Alternative(change: Self.words(recipe, plan.settings.recipe), peak: found.memory.peak, stepSeconds: found.stepSeconds)
    }
    return estimate
  }

  /// The changes that may make a run fit: each returns false where it changes nothing. Formats of frozen weights belong here, too.
  private static let changes: [@Sendable (inout Recipe) -> Bool] = [
    { recipe in
      guard recipe.training.precision == .fp32 else { return false }
      recipe.training.precision = .bf16
      return true
    },
    { recipe in
      guard !recipe.training.gradientCheckpointing else { return false }
      recipe.training.gradientCheckpointing = true
      return true
    },
    { recipe in
      guard recipe.training.batchSize > 1 else { return false }
      recipe.training.batchSize = (recipe.training.batchSize + 1) / 2
      recipe.training.gradientAccumulationSteps *= 2
      return true
    },
  ]

  /// The memory that the log, the report and files of results take while they are written, as small runs show it.
  private static let writingBytes = 5e6

  private static func words(_ changed: Recipe, _ recipe: Recipe) -> String {
    let (new, old) = (changed.training, recipe.training)
    if new.precision != old.precision { return "training.precision: \(new.precision.rawValue)" }
    if new.gradientCheckpointing != old.gradientCheckpointing { return "training.gradient_checkpointing: true" }
    return "training.batch_size: \(new.batchSize) with training.gradient_accumulation_steps: \(new.gradientAccumulationSteps)"
  }

  private func estimate(_ settings: RunSettings, on base: TrainableBase, _ sample: StepSample, resident: Double) throws -> RunEstimate {
    let recipe = settings.recipe
    guard let model = base.model as? any TrainableModel else {
      throw SessionError(.usage, "task: \(recipe.task.rawValue) is not supported for \(base.model.modelType)")
    }
    let delta = try Delta(base.method.quicklyInitialized, on: model.catalog, services: try base.outlineServices())
    let probe = StepProbe(model: model, delta: delta, recipe: recipe, loss: settings.loss.sum)
    let largest = try probe.reading(of: sample.largest, data.objective)
    let typical = sample.largest == sample.typical ? largest : try probe.reading(of: sample.typical, data.objective)
    let weights = try base.weightBytes(isFull: base.isFull)
    let states = delta.parameters.reduce(0.0) { sum, entry in
      sum
        + recipe.training.updateRule.state(of: entry.parameter.shape).reduce(0.0) {
          $0 + Double(recipe.training.optimizerState.format.bytes(for: $1.shape.elementCount))
        }
    }
    let beside = base.isFull ? 0 : 4 * Double(delta.parameterCount)
    // Of a model that is in memory the weights are resident, but for the copies that are trained.
    let rest = max(0, resident - (isLoaded ? weights.loaded : 0)) + Self.writingBytes
    let scale = Double(StepProbe.size(of: sample.largest)) > 0 ? sample.scale : 1
    let memory = RunEstimate.Memory(
      weights: weights.all, trained: beside, gradients: largest.gradients, optimizer: states, activations: largest.activations * scale, rest: rest)
    let batchTokens = sample.meanTokens * scale
    let stepBatches = sample.microBatchesPerStep / scale
    let passSeconds = typical.seconds * sample.meanTokens / Double(max(1, StepProbe.size(of: sample.typical))) * scale
    return RunEstimate(
      trainableParameters: delta.parameterCount, totalParameters: model.catalog.parameterCount + (base.isFull ? 0 : delta.parameterCount),
      memory: memory, available: Double(AvailableMemory.bytes) + resident, largestBatch: Int(Double(StepProbe.size(of: sample.largest)) * scale),
      tokensPerStep: batchTokens * stepBatches,
      operationsPerStep: batchTokens * stepBatches * Benchmark.flopsPerToken(model.catalog, sequenceLength: sample.meanLength, isFull: base.isFull),
      stepSeconds: passSeconds * stepBatches + probe.updateSeconds(), stepCount: plan.stepCount)
  }
}

/// The micro-batches that an estimate is made of.
struct StepSample {
  /// The examples of the largest micro-batch.
  var largest: [EncodedExample]
  /// Those of one of about the mean size.
  var typical: [EncodedExample]
  /// The mean tokens of a micro-batch.
  var meanTokens: Double
  /// The micro-batches of a step.
  var microBatchesPerStep: Double
  /// The factor of the size of micro-batches, of which there are as many more.
  var scale = 1.0

  /// The mean tokens of an example.
  var meanLength: Int { StepProbe.size(of: typical) / max(1, typical.count) }

  func scaled(by factor: Double) -> StepSample {
    var sample = self
    sample.scale = factor
    return sample
  }
}

extension RunData {
  /// The micro-batches of the first epoch, or of the first steps where no more is known, that an estimate is made of.
  ///
  /// - Throws: what reading examples throws.
  func sample(_ plan: BatchPlan?) throws -> StepSample {
    var batches: [[EncodedExample]] = []
    var largest: [EncodedExample] = []
    var (tokens, batchCount, stepCount) = (0, 0, 0)
    switch train {
    case .known(let examples):
      guard let plan else { break }
      let counts = examples.tokenCounts
      var best: (size: Int, batch: [Int]) = (0, [])
      for step in plan.steps(0..<plan.stepsPerEpoch) {
        for batch in step.microBatches {
          let size = batch.reduce(0) { $0 + counts[$1] }
          if size > best.size { best = (size, batch) }
          tokens += size
          if batches.count < 64 { batches.append(try batch.map { try examples.example($0) }) }
        }
        (batchCount, stepCount) = (batchCount + step.microBatches.count, stepCount + 1)
      }
      largest = try best.batch.map { try examples.example($0) }
    case .streamed(let stream):
      let steps = stream.steps(0..<16)
      while let step = try steps.next() {
        batches += step.microBatches.map { $0.map(stream.example) }
        (batchCount, stepCount) = (batchCount + step.microBatches.count, stepCount + 1)
      }
      largest = batches.max { StepProbe.size(of: $0) < StepProbe.size(of: $1) } ?? []
      tokens = batches.reduce(0) { $0 + StepProbe.size(of: $1) }
    }
    let mean = Double(tokens) / Double(max(1, batchCount))
    func distance(_ batch: [EncodedExample]) -> Double { abs(Double(StepProbe.size(of: batch)) - mean) }
    let typical = batches.min { distance($0) < distance($1) } ?? largest
    return StepSample(
      largest: largest, typical: typical, meanTokens: mean, microBatchesPerStep: Double(batchCount) / Double(max(1, stepCount)))
  }
}

extension TuningMethod {
  /// The same method with initial values that take no decomposition of weights.
  fileprivate var quicklyInitialized: any TuningMethod {
    guard var method = self as? LoRA else { return self }
    method.initLoraWeights = .kaiming
    return method
  }
}
