import GraftLayers
import GraftRecipes
import GraftReports
import GraftTensors

/// The memory that a training takes at the least, in bytes: what cannot fit is refused before it is taken.
package struct MemoryEstimate {
  /// Trained values with their gradients and the optimizer's moments.
  package let trained: Double
  /// The activations of the largest micro-batch that the forward pass keeps for the reverse pass.
  package let activations: Double
  /// The tokens of that micro-batch.
  let tokens: Int
  /// The weights that are not trained, which are in memory already.
  package let frozen: Double
  private let precision: Recipe.PrecisionName

  /// - Parameters:
  ///   - parameters: how many values are trained.
  ///   - stateCount: how many moments the optimizer keeps of each.
  ///   - stateFormat: their format.
  ///   - recomputation: true where activations within a layer are recomputed rather than kept.
  ///   - precision: that of products, in whose format activations wait for the way back.
  package init(
    parameters: Double, stateCount: Int, stateFormat: Recipe.StateFormat = .fp32, on sites: SiteCatalog, tokens: Int, recomputation: Bool,
    precision: Recipe.PrecisionName
  ) {
    trained = parameters * Double(4 * 2 + stateFormat.format.bytes(for: stateCount))
    // Every linear layer's output is kept, or a small part of them where they are computed again.
    let kept = sites.linears.filter { $0.role != .languageModelHead }.reduce(0.0) { $0 + Double($1.outputSize) }
    activations = Double(precision.operandFormat.bytes(for: tokens)) * kept * (recomputation ? 0.1 : 1)
    // Of a table that a head shares products may read a copy in another format.
    let copies = Dictionary(sites.ties.map { ($0.table.weight.path, $0.table.weight.copyByteCount) }) { first, _ in first }
    frozen = sites.parameters.reduce(0.0) { $0 + ($1.isTrainable ? 0 : Double($1.stored.byteCount + copies[$1.path, default: 0])) }
    (self.tokens, self.precision) = (tokens, precision)
  }

  package var total: Double { trained + activations }

  private var smallerNumbers: String { precision == .fp32 ? " or training.precision: bf16" : "" }

  /// - Throws: `MemoryError` where more is needed than there is.
  package func require(available: Int = AvailableMemory.bytes) throws(MemoryError) {
    guard total > Double(available) else { return }
    func text(_ bytes: Double) -> String { Figure.bytes(Int(min(bytes, 1e18))) }
    throw MemoryError(
      "memory: at least \(text(total)) are needed (\(text(trained)) for what is trained, with gradients and moments, \(text(activations)) for the "
        + "activations of \(tokens) tokens) beside the \(text(frozen)) of the model's weights, and \(text(Double(available))) are available; "
        + "lower method.r, training.batch_size or data.max_length, set training.gradient_checkpointing: true\(smallerNumbers), or take a smaller model"
    )
  }
}
