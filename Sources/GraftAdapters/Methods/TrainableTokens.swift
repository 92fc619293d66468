import GraftConfiguration
import GraftLayers
import GraftTensors

/// Some rows of the token embedding are trained, and nothing else: also in the head, where that is the same matrix.
public struct TrainableTokens: TuningMethod {
  public static let name = "TRAINABLE_TOKENS"
  public static let defaultLearningRate = 1e-3

  public var tokenIndices: [Int] = []
  /// The model's token embedding where nil.
  public var targetModules: ModuleSelection?
  public var initWeights = true

  public init() {}

  enum CodingKeys: String, CodingKey {
    case tokenIndices = "token_indices"
    case targetModules = "target_modules"
    case initWeights = "init_weights"
  }

  public func attach(to sites: SiteCatalog, in attachment: Attachment) throws {
    guard !tokenIndices.isEmpty else { throw TuningError("token_indices: is empty; list the ids of the tokens to train") }
    guard Set(tokenIndices).count == tokenIndices.count else { throw TuningError("token_indices: lists an id twice") }
    for embedding in try embeddings(in: sites, isStrict: !attachment.isLoading) {
      if let outside = tokenIndices.first(where: { !(0..<embedding.entries).contains($0) }) {
        throw TuningError("token_indices: \(outside) is none of the \(embedding.entries) entries of \(embedding.path)")
      }
      let scope = attachment.scope / embedding.path, tokens = Tensor(tokenIndices.map(Int32.init))
      let rows = try scope.parameter(
        "trainable_tokens_delta", [tokenIndices.count, embedding.weight.shape[1]], .normal(standardDeviation: 1))
      if !attachment.isLoading, initWeights { rows.assign(embedding.plain(tokens)) }
      try attachment.fill(embedding, with: ReplacedRows(rows, of: tokenIndices))
      for head in sites.linears where head.weight === embedding.weight {
        // PEFT keeps them under the head's name too.
        try attachment.ignore("\((attachment.scope / head.path).path).trainable_tokens_delta", shape: rows.shape)
        try attachment.fill(head, with: ReplacedOutputs(rows, of: tokens))
      }
    }
  }

  private func embeddings(in sites: SiteCatalog, isStrict: Bool) throws -> [Embedding] {
    guard targetModules != nil else { return sites.sites.filter { $0.role == .tokenEmbedding }.compactMap(\.embedding) }
    return try Targets(modules: targetModules).matches(in: sites, kind: "embedding", isStrict: isStrict) { $0.embedding != nil }
      .compactMap(\.embedding)
  }
}

/// Trained rows in place of some of a table's.
private final class ReplacedRows: EmbeddingTableAdapter {
  /// `[replaced, width]`.
  let rows: Parameter
  let places: [Int32: Int32]

  init(_ rows: Parameter, of tokens: [Int]) {
    self.rows = rows
    places = Dictionary(uniqueKeysWithValues: tokens.enumerated().map { (Int32($0.element), Int32($0.offset)) })
  }

  func callAsFunction(_ tokens: Tensor, through base: Embedding, _ pass: Pass) -> Tensor {
    let places = tokens.elements().map { self.places[$0] ?? -1 }
    return replaceRows(of: base.plain(tokens), by: rows.operand, places)
  }

  func merge(into base: Embedding) throws(TuningError) {
    let all = (0..<Int32(base.entries)).map { places[$0] ?? -1 }
    base.weight.assign(replaceRows(of: base.weight.value.converted(to: .float32), by: rows.value, all).converted(to: base.weight.value.dtype))
  }
}

/// Trained rows in place of some of those of a head that shares the embedding's table.
private final class ReplacedOutputs: LinearAdapter {
  /// `[replaced, width]`, and which they replace.
  let rows: Parameter, tokens: Tensor

  init(_ rows: Parameter, of tokens: Tensor) { (self.rows, self.tokens) = (rows, tokens) }

  func callAsFunction(_ x: Tensor, through base: Linear, _ pass: Pass) -> Tensor {
    let change = linear(x, rows.operand - gatherRows(base.weight.value, tokens))
    return linear(change, selection(of: base.outputSize), addingTo: base.plain(x))
  }

  /// `[outputs, replaced]`: a one where an output is a replaced one's.
  private func selection(of outputs: Int) -> Tensor {
    let replaced = tokens.elements()
    var values = [Float](repeating: 0, count: outputs * replaced.count)
    for (column, row) in replaced.enumerated() { values[Int(row) * replaced.count + column] = 1 }
    return Tensor(values, [outputs, replaced.count])
  }

  /// The embedding merges the matrix that they share.
  func merge(into base: Linear) throws(TuningError) {}
}
