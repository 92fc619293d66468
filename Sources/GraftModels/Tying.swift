import GraftLayers
import GraftTensors

/// A head, or another table, whose matrix a configuration ties to the table of tokens.
///
/// It is made before the table, so that a checkpoint that holds the head alone fills the table, too.
struct Tying {
  private let target: Scope, table: Scope
  private let isOn: Bool

  /// - Parameter isOn: true where the configuration ties the two.
  init(of target: Scope, to table: Scope, isOn: Bool) {
    (self.target, self.table, self.isOn) = (target, table, isOn)
    if isOn { target.tie("\(target.path).weight", to: "\(table.path).weight") }
  }

  /// True where the two are one matrix: unless the checkpoint holds both and they differ.
  func isShared() throws -> Bool {
    guard isOn else { return false }
    return try !target.areDifferent("\(target.path).weight", "\(table.path).weight")
  }

  /// Notes that the two are one parameter, which a checkpoint may hold twice.
  func share(_ matrix: Parameter) { target.catalog.share(matrix, as: "\(target.path).weight") }

  /// The head of the vocabulary, without a bias.
  /// - Parameters:
  ///   - isHeadless: true where nobody asks for it, so that it needs no tensor of its own.
  ///   - scale: the factor of the hidden states.
  ///   - softcap: the largest magnitude of a logit; nil for none.
  func head(
    over embedding: Embedding, isHeadless: Bool = false, _ initializer: Initializer, scale: Float = 1, softcap: Float? = nil
  ) throws -> LanguageModelHead {
    let isShared = try isShared()
    if isShared { share(embedding.weight) }
    let linear =
      isHeadless || isShared
      ? Linear(target, sharing: embedding.weight, role: .languageModelHead)
      : try Linear(target, in: embedding.weight.shape[1], out: embedding.entries, role: .languageModelHead, initializer: initializer)
    return LanguageModelHead(linear, scale: scale, softcap: softcap)
  }

  /// The table of one half of an encoder-decoder: the shared one, or its own where the checkpoint holds another.
  func half(of shared: Embedding, padding: Int? = nil, _ initializer: Initializer) throws -> Embedding {
    guard try target.areDifferent("\(target.path).weight", "\(table.path).weight") else {
      share(shared.weight)
      return shared
    }
    return try Embedding(
      target, entries: shared.entries, width: shared.weight.shape[1], role: .tokenEmbedding, padding: padding, initializer: initializer)
  }
}
