import Foundation
import GraftAdapters
import GraftCheckpoints
import GraftJSON
import GraftLayers
import GraftOptimizers
import GraftTensors

/// Where a run can go on from: the delta, the optimizer's state, and how far the data was read.
struct TrainingCheckpoint {
  let step: Int
  let tokens: Int
  /// What training took up to here.
  let seconds: Double
  let metrics: [JSON]
  let weights: InMemoryWeights
  private let optimizerState: [String: Tensor], methodState: [String: Tensor]
  private let path: String

  private static let group = "optimizer", methodGroup = "method"

  /// The newest checkpoint of a run directory.
  /// - Throws: `SessionError` where there is none.
  static func newest(in run: String) throws -> TrainingCheckpoint {
    guard let (step, name) = numbered(in: run).last else {
      throw SessionError(.usage, "\(run): no checkpoints to resume from; leave --resume out to start afresh")
    }
    let path = "\(run)/checkpoints/\(name)/adapter.h5"
    let stored = try AdapterFile.read(path).adapter()
    let training = stored.training
    func state(_ name: String) -> [String: Tensor] {
      let tensors = training?.tensorGroups.first { $0.name == name }?.tensors ?? []
      return Dictionary(tensors.map { ($0.name, $0.tensor) }) { first, _ in first }
    }
    return TrainingCheckpoint(
      step: training?.step ?? step, tokens: training?.state?["tokens"]?.int ?? 0, seconds: training?.state?["seconds"]?.double ?? 0,
      metrics: try (training?.metrics ?? "").split(separator: "\n").map { try JSON(parsing: String($0)) },
      weights: stored.weights(from: path), optimizerState: state(group), methodState: state(methodGroup), path: path)
  }

  func restore(_ optimizer: Optimizer) throws {
    try optimizer.restore(stepCount: step) { name in
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

  static func write(
    delta: Delta, optimizer: Optimizer, step: Int, epoch: Double, tokens: Int, seconds: Double, seed: Int, metrics: [JSON], recipe: String,
    in run: String, keeping limit: Int?
  ) throws {
    var stored = try delta.stored(taskType: nil, isFinished: false)
    var training = StoredTraining(step: step, epoch: epoch, seed: seed)
    training.recipe = recipe
    training.metrics = metrics.map { $0.serialized() + "\n" }.joined()
    training.state = ["tokens": .integer(tokens), "seconds": .number(seconds)]
    training.tensorGroups = [(group, optimizer.stateTensors.map { StoredTensor(name: key($0.name), tensor: $0.tensor) })]
    if let schedule = delta.schedule { training.tensorGroups.append((methodGroup, schedule.state)) }
    stored.training = training
    let folder = "\(run)/checkpoints/step-\(step)"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    try AdapterArchive.write(AdapterFile(adapters: [stored]), to: folder + "/adapter.h5")
    guard let limit else { return }
    for old in numbered(in: run).dropLast(max(1, limit)) { try? FileManager.default.removeItem(atPath: "\(run)/checkpoints/\(old.name)") }
  }

  /// A slash separates groups in the file; state names use a component of their own.
  private static func key(_ name: String) -> String { name.replacingOccurrences(of: "/", with: ".") }

  private static func numbered(in run: String) -> [(step: Int, name: String)] {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: run + "/checkpoints")) ?? []
    return names.compactMap { name in name.hasPrefix("step-") ? Int(name.dropFirst(5)).map { ($0, name) } : nil }.sorted { $0.0 < $1.0 }
  }
}
