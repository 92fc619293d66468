import GraftLayers
import GraftTensors

/// A checkpoint whose classifier is for another number of labels than it is to have now: that layer is drawn anew.
final class ReplacedHead: WeightSource {
  private let checkpoint: any WeightSource
  private let hidden: Set<String>

  /// - Parameters:
  ///   - labels: the number of labels there are to be.
  ///   - outputs: the modules whose rows are labels.
  /// - Returns: nil where the checkpoint has no classifier, or one of as many.
  init?(_ checkpoint: any WeightSource, labels: Int, outputs: [String]) throws {
    let hidden = try outputs.filter { output in
      let name = output + ".weight"
      return checkpoint.contains(name) ? try checkpoint.tensor(name).shape[0] != labels : false
    }
    guard !hidden.isEmpty else { return nil }
    self.checkpoint = checkpoint
    self.hidden = Set(hidden.flatMap { [$0 + ".weight", $0 + ".bias"] })
  }

  var name: String { checkpoint.name }
  var tensorNames: [String] { checkpoint.tensorNames.filter { !hidden.contains($0) } }
  func contains(_ name: String) -> Bool { !hidden.contains(name) && checkpoint.contains(name) }
  func tensor(_ name: String) throws -> Tensor { try checkpoint.tensor(name) }
  func weight(_ name: String) throws -> Weight { try checkpoint.weight(name) }
}
