import GraftAdapters
import GraftLayers
import GraftRecipes
import GraftTensors
import GraftTraining

/// Predicts what a run takes: its memory from a rehearsal, its time from a few layers of a step computed on this machine.
struct RunEstimator {
  let plan: RunPlan
  let data: RunData
  /// The resident memory of the program with the data, before there is a model.
  let resident: Double

  /// The purposes of an estimate.
  enum Purpose {
    /// To show everything: the time, and changes that take less memory with theirs.
    case showing
    /// To tell in no time if the run fits, and if it does not, what would.
    case fitting
  }

  /// - Parameter rehearsal: the recipe's own model, on which no method was put before.
  /// - Throws: what making the method, or reading examples, throws.
  func estimate(_ rehearsal: RunRehearsal, for purpose: Purpose) throws -> RunEstimate {
    var estimate = try self.estimate(plan, rehearsal, isTimed: purpose == .showing)
    guard purpose == .showing || !estimate.fits else { return estimate }
    estimate.alternatives = try RecipeChange.all.compactMap { change in
      // A change that the recipe's other settings do not allow is none.
      guard let recipe = change.applied(to: plan.settings.recipe), let settings = try? RunSettings(recipe),
        let rehearsal = try? RunRehearsal(settings, labels: data.labels)
      else { return nil }
      let found = try self.estimate(RunPlan(settings, for: data.planned(isReported: false)), rehearsal, isTimed: purpose == .showing)
      guard found.memory.peak < estimate.memory.peak else { return nil }
      return RunEstimate.Alternative(change: change.words(recipe), peak: found.memory.peak, stepSeconds: found.stepSeconds)
    }
    return estimate
  }

  /// The memory that the log, the report and files of results take while they are written, as small runs show it.
  private static let writingBytes = 5e6

  private func estimate(_ plan: RunPlan, _ rehearsal: RunRehearsal, isTimed: Bool) throws -> RunEstimate {
    let recipe = plan.settings.recipe
    let sample = try data.sample(plan)
    let findings = try rehearsal.findings(data, sample)
    let delta = findings.delta
    var memory = findings.memory
    memory.rest = resident + Self.writingBytes
    let catalog = rehearsal.base.model.catalog
    let isFull = rehearsal.base.isFull
    let tokens = sample.meanTokens * sample.microBatchesPerStep
    var seconds: Double?
    if isTimed, let model = rehearsal.base.model as? any TrainableModel {
      let pass = TrainingPass(model: model, recipe: recipe, loss: plan.settings.loss.sum)
      seconds = StepProbe(pass: pass, delta: delta).stepSeconds(sample, data.objective)
    }
    return RunEstimate(
      trainableParameters: delta.parameterCount, totalParameters: catalog.parameterCount + (isFull ? 0 : delta.parameterCount), memory: memory,
      available: Double(AvailableMemory.bytes) + Double(ProcessMemory.residentBytes), largestBatch: sample.largestSize, tokensPerStep: tokens,
      operationsPerStep: tokens * Benchmark.flopsPerToken(catalog, sequenceLength: sample.meanLength, isFull: isFull), stepSeconds: seconds,
      stepCount: plan.stepCount)
  }
}
