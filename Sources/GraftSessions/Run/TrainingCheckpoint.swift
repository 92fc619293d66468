import Foundation
import GraftAdapters
import GraftCheckpoints
import GraftJSON
import GraftLayers
import GraftOptimizers
import GraftRecipes
import GraftTensors

/// A point of a run to go on from: the delta, the optimizer's state, and all else that the run has come to.
struct TrainingCheckpoint {
  /// Its directory.
  let path: String
  let step: Int
  let epoch: Double
  let metrics: [JSON]
  /// The record of `RunState`.
  let state: JSON
  let weights: InMemoryWeights
  private let recipe: String?
  private let base: BaseFingerprint?
  private let optimizerState: [String: Tensor], methodState: [String: Tensor]

  private static let group = "optimizer", methodGroup = "method"
  /// The name of the best weights' directory.
  static let bestName = "best"

  /// - Throws: `CheckpointError` and `JSONError` where it is damaged or incomplete.
  init(_ path: String) throws {
    let file = try AdapterFile.read(path + "/adapter.h5")
    let stored = try file.adapter()
    guard let training = stored.training, let step = training.step else {
      throw CheckpointError(.malformed, path, "says nothing of a training")
    }
    func tensors(_ name: String) -> [String: Tensor] {
      let tensors = training.tensorGroups.first { $0.name == name }?.tensors ?? []
      return Dictionary(tensors.map { ($0.name, $0.tensor) }) { first, _ in first }
    }
    (self.path, self.step, epoch) = (path, step, training.epoch ?? 0)
    metrics = try (training.metrics ?? "").split(separator: "\n").map { try JSON(parsing: String($0)) }
    state = training.state ?? [:]
    weights = stored.weights(from: path)
    (recipe, base) = (training.recipe, file.base)
    (optimizerState, methodState) = (tensors(Self.group), tensors(Self.methodGroup))
  }

  /// The newest checkpoint of a run directory that can be read.
  /// - Returns: nil where there is none, and what was passed over and why.
  static func newest(in run: String) -> (checkpoint: TrainingCheckpoint?, passedOver: [String]) {
    var passedOver: [String] = []
    for (_, name) in numbered(in: run).reversed() {
      do { return (try TrainingCheckpoint("\(run)/checkpoints/\(name)"), passedOver) } catch {
        passedOver.append("passed over the checkpoint \(name), which cannot be read: \(error)")
      }
    }
    return (nil, passedOver)
  }

  /// The run that it belongs to; nil where it does not say.
  var identity: RunIdentity? {
    guard let recipe, let decoded = try? Recipe(yaml: recipe, file: path) else { return nil }
    return RunIdentity(
      recipe: decoded, trainSHA256: state["identity"]?["train_sha256"]?.string, evaluationSHA256: state["identity"]?["evaluation_sha256"]?.string,
      base: base)
  }

  func restore(_ optimizer: Optimizer) throws {
    // Every step was an update before steps could be skipped.
    try optimizer.restore(stepCount: state["updates"]?.int ?? step) { name in
      guard let tensor = optimizerState[Self.key(name)] else { throw SessionError(.data, "\(path): no optimizer state for \(name); start afresh") }
      return tensor
    }
  }

  /// Goes on with what the method keeps beside its parameters, where it keeps something.
  func restore(_ schedule: (any TrainingSchedule)?) throws {
    try schedule?.restore { name in
      guard let tensor = methodState[name] else { throw SessionError(.data, "\(path): no \(name) of the method's; start afresh") }
      return tensor
    }
  }

  /// Puts its weights into a delta that is attached.
  func restore(_ delta: Delta) throws {
    for (key, parameter) in delta.parameters { parameter.assign(try weights.tensor(key)) }
    try restore(delta.schedule)
  }

  /// The optimizer's state as a file keeps it.
  static func group(of optimizer: Optimizer) -> (name: String, tensors: [StoredTensor]) {
    (group, optimizer.stateTensors.map { StoredTensor(name: key($0.name), tensor: $0.tensor) })
  }

  /// The state that a method has beside its parameters, as a file keeps it.
  static func group(of schedule: any TrainingSchedule) -> (name: String, tensors: [StoredTensor]) { (methodGroup, schedule.state) }

  /// Removes checkpoints beyond the newest `limit`.
  /// - Parameter removingLater: true where those of steps that the run has yet to do go too: they could not be read.
  static func rotate(in run: String, at step: Int, keeping limit: Int?, removingLater: Bool) throws {
    let all = numbered(in: run)
    let own = all.filter { $0.step <= step }
    let old = limit.map { own.dropLast(max(1, $0)) } ?? []
    for checkpoint in all.filter({ removingLater && $0.step > step }) + old {
      try WrittenFiles.removeDirectory(checkpoint.name, in: run + "/checkpoints")
    }
  }

  /// A slash separates groups in the file; state names use a component of their own.
  private static func key(_ name: String) -> String { name.replacingOccurrences(of: "/", with: ".") }

  private static func numbered(in run: String) -> [(step: Int, name: String)] {
    WrittenFiles.entries(of: run + "/checkpoints").compactMap { name in
      name.hasPrefix("step-") ? Int(name.dropFirst(5)).map { ($0, name) } : nil
    }.sorted { $0.0 < $1.0 }
  }
}
