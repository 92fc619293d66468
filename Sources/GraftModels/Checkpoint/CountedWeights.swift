import GraftLayers
import GraftTensors

/// Weights that tell how many of them have been asked for, so that the loading of a large model can be watched.
final class CountedWeights: WeightSource {
  /// Told of the tensors asked for and of all of them; nil when nobody listens any more.
  var progress: ((_ done: Int, _ total: Int) -> Void)?
  private let source: any WeightSource
  private let total: Int
  private var asked: Set<String> = []

  init(_ source: any WeightSource, _ progress: @escaping (_ done: Int, _ total: Int) -> Void) {
    (self.source, self.progress) = (source, progress)
    total = source.tensorNames.count
  }

  var name: String { source.name }
  var tensorNames: [String] { source.tensorNames }
  func contains(_ name: String) -> Bool { source.contains(name) }

  func tensor(_ name: String) throws -> Tensor {
    count(name)
    return try source.tensor(name)
  }

  func weight(_ name: String) throws -> Weight {
    count(name)
    return try source.weight(name)
  }

  private func count(_ name: String) {
    guard let progress, asked.insert(name).inserted else { return }
    progress(asked.count, total)
  }
}
