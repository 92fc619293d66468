import GraftAdapters
import GraftCheckpoints
import GraftDatasets
import GraftJSON
import GraftLayers
import GraftModels
import GraftOptimizers
import GraftRecipes

/// The weights that a run trains, as its files keep them: in checkpoints to go on from, and as its result.
struct RunProduct {
  let recipe: Recipe
  let base: TrainableBase
  let delta: Delta
  /// A classifier's labels.
  let labels: LabelScheme?
  let identity: RunIdentity

  /// The facts that an adapter must keep to be used: the names of its labels, and the attention style.
  private var adapterState: JSONObject {
    var state = JSONObject()
    for (key, value) in labels?.state ?? [] { state[key] = value }
    if let style = base.model.attentionStyle, style != .causal { state[ArchitectureConfiguration.attentionStyleKey] = .string(style.rawValue) }
    return state
  }

  /// The path of the result in a run directory.
  func resultPath(in output: String) -> String { output + (base.isFull ? "/model" : "/adapter.h5") }

  /// Writes the weights as the result of a run.
  func writeResult(to path: String, step: Int, epoch: Double) throws {
    if base.isFull { return try base.writeModel(to: path, task: recipe.task.ofModel, labels: labels) }
    var stored = try base.stored(delta, taskType: recipe.task.peftName)
    var training = StoredTraining(step: step, epoch: epoch, seed: recipe.training.seed)
    training.recipe = try recipe.rendered()
    let state = adapterState
    if !state.isEmpty { training.state = .object(state) }
    stored.training = training
    try AdapterArchive.write(AdapterFile(base: try base.fingerprint(), adapters: [stored]), to: path)
  }

  /// Writes a checkpoint, whole or not at all.
  ///
  /// - Parameters:
  ///   - optimizer: left out of weights that are only kept to be used.
  ///   - metrics: the lines of `metrics.jsonl` so far.
  ///   - name: `step-N` or `best`.
  func writeCheckpoint(_ optimizer: Optimizer?, _ state: RunState, metrics: [JSON], to output: String, as name: String) throws {
    var stored = try base.stored(delta, taskType: recipe.task.peftName, isFinished: false)
    var training = StoredTraining(step: state.training.step, epoch: state.training.epoch, seed: recipe.training.seed)
    training.recipe = try recipe.rendered()
    training.metrics = metrics.map { $0.serialized() + "\n" }.joined()
    var json = state.json
    for (key, value) in adapterState { json[key] = value }
    json["identity"] = identity.json
    if let optimizer { json["updates"] = .integer(optimizer.stepCount) }
    training.state = json
    if let optimizer { training.tensorGroups.append(TrainingCheckpoint.group(of: optimizer)) }
    if let schedule = delta.schedule { training.tensorGroups.append(TrainingCheckpoint.group(of: schedule)) }
    stored.training = training
    let directory = try AtomicDirectory(at: "\(output)/checkpoints/\(name)", replacing: .any)
    do {
      try AdapterArchive.write(AdapterFile(base: identity.base, adapters: [stored]), to: directory.temporaryPath + "/adapter.h5")
    } catch {
      throw error.location.hasPrefix(directory.temporaryPath) ? error.moved(from: directory.temporaryPath, to: directory.path) : error
    }
    try directory.commit()
  }
}
