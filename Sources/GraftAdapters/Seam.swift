import GraftLayers

/// A slot of the base with what a delta puts in it.
enum Seam {
  case linear(Linear, any LinearAdapter)
  case table(Embedding, any EmbeddingTableAdapter)
  case prompt(Embedding, any PromptAdapter)
  case prefix(Attention, any AttentionPrefix)
  case supplement(Attention, any AttentionSupplement)
  case residual(Linear, any ResidualAdapter)
  case experts(ExpertProjection, any ExpertAdapter)
  case start(Recurrence, any StartAdapter)
  case states(TransformerBlock, any StateAdapter)
  case input(TransformerBlock, any StateAdapter)

  /// The slot's module.
  var path: String {
    switch self {
    case .linear(let layer, _), .residual(let layer, _): layer.path
    case .table(let embedding, _), .prompt(let embedding, _): embedding.path
    case .prefix(let attention, _), .supplement(let attention, _): attention.path
    case .experts(let projection, _): projection.path
    case .start(let recurrence, _): recurrence.path
    case .states(let block, _), .input(let block, _): block.path
    }
  }

  var isFree: Bool {
    switch self {
    case .linear(let layer, _): layer.adapter == nil
    case .residual(let layer, _): layer.residualAdapter == nil
    case .table(let embedding, _): embedding.adapter == nil
    case .prompt(let embedding, _): embedding.prompt == nil
    case .prefix(let attention, _): attention.prefix == nil
    case .supplement(let attention, _): attention.supplement == nil
    case .experts(let projection, _): projection.adapter == nil
    case .start(let recurrence, _): recurrence.adapter == nil
    case .states(let block, _): block.adapter == nil
    case .input(let block, _): block.inputAdapter == nil
    }
  }

  func fill() {
    switch self {
    case .linear(let layer, let adapter): layer.adapter = adapter
    case .residual(let layer, let adapter): layer.residualAdapter = adapter
    case .table(let embedding, let adapter): embedding.adapter = adapter
    case .prompt(let embedding, let adapter): embedding.prompt = adapter
    case .prefix(let attention, let adapter): attention.prefix = adapter
    case .supplement(let attention, let adapter): attention.supplement = adapter
    case .experts(let projection, let adapter): projection.adapter = adapter
    case .start(let recurrence, let adapter): recurrence.adapter = adapter
    case .states(let block, let adapter): block.adapter = adapter
    case .input(let block, let adapter): block.inputAdapter = adapter
    }
  }

  func empty() {
    switch self {
    case .linear(let layer, _): layer.adapter = nil
    case .residual(let layer, _): layer.residualAdapter = nil
    case .table(let embedding, _): embedding.adapter = nil
    case .prompt(let embedding, _): embedding.prompt = nil
    case .prefix(let attention, _): attention.prefix = nil
    case .supplement(let attention, _): attention.supplement = nil
    case .experts(let projection, _): projection.adapter = nil
    case .start(let recurrence, _): recurrence.adapter = nil
    case .states(let block, _): block.adapter = nil
    case .input(let block, _): block.inputAdapter = nil
    }
  }

  /// Folds into the base's weights what they can express.
  func merge() throws(TuningError) {
    switch self {
    case .linear(let layer, let adapter): try adapter.merge(into: layer)
    case .table(let embedding, let adapter): try adapter.merge(into: embedding)
    case .experts(let projection, let adapter): try adapter.merge(into: projection)
    case .prompt, .prefix, .supplement, .residual, .start, .states, .input:
      throw TuningError("\(path): its adapter adds computation, which no weights can express")
    }
  }
}
