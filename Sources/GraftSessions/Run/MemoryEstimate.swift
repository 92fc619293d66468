import GraftLayers
import GraftReports
import GraftTensors

/// The memory that a training takes at the least, in bytes: what cannot fit is refused before it is taken.
struct MemoryEstimate {
  /// Trained values with their gradients and the optimizer's moments.
  let trained: Double
  /// The activations of the largest micro-batch that the forward pass keeps for the reverse pass.
  let activations: Double
  /// The tokens of that micro-batch.
  let tokens: Int

  /// - Parameters:
  ///   - parameters: how many values are trained.
  ///   - stateCount: how many moments the optimizer keeps of each.
  ///   - recomputation: true where activations within a layer are recomputed rather than kept.
  init(parameters: Double, stateCount: Int, on sites: SiteCatalog, tokens: Int, recomputation: Bool) {
    trained = 4 * parameters * Double(2 + stateCount)
    // Every linear layer's output is kept, or a small part of them where they are computed again.
    let kept = sites.linears.filter { $0.role != .languageModelHead }.reduce(0.0) { $0 + Double($1.outputSize) }
    activations = 4 * Double(tokens) * kept * (recomputation ? 0.1 : 1)
    self.tokens = tokens
  }

  var total: Double { trained + activations }

  /// - Throws: `MemoryError` where more is needed than there is.
  func require(available: Int = AvailableMemory.bytes) throws(MemoryError) {
    guard total > Double(available) else { return }
    func text(_ bytes: Double) -> String { Figure.bytes(Int(min(bytes, 1e18))) }
    throw MemoryError(
      "memory: at least \(text(total)) are needed (\(text(trained)) for what is trained, with gradients and moments, \(text(activations)) for the "
        + "activations of \(tokens) tokens), and \(text(Double(available))) are available; lower method.r, training.batch_size or data.max_length, "
        + "set training.gradient_checkpointing: true, or take a smaller model")
  }
}
