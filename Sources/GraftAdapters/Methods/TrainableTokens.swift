import GraftConfiguration
import GraftLayers
import GraftTensors

/// Some rows of the token embedding are trained, and nothing else: also in the head, where that is the same matrix.
public struct TrainableTokens: TuningMethod {
  public static let name = "TRAINABLE_TOKENS"
  public static let defaultLearningRate = 1e-3
  public static let card = MethodCard(
    title: "trainable tokens", formula: "rows in place of the table's", parameters: "`h` a token",
    seam: "token embedding, and a head that shares it", source: "PEFT")

  package var tokenIndices: [Int] = []
  /// The model's token embedding where nil.
  public var targetModules: ModuleSelection?
  package var initWeights = true

  public init() {}

  public func attach(to sites: SiteCatalog, in attachment: Attachment) throws {
    guard !tokenIndices.isEmpty else { throw TuningError("token_indices: is empty; list the ids of the tokens to train") }
    let rows = TrainedRows(key: "token_indices", component: nil, startsFromTable: initWeights)
    guard let targetModules else { return try rows.attach([.tokenEmbedding: tokenIndices], to: sites, in: attachment) }
    let matched = try Targets(modules: targetModules).matches(in: sites, kind: "embedding", for: attachment) {
      $0.embedding != nil || $0.role == .languageModelHead
    }
    for site in matched { try rows.attach(tokenIndices, to: site, of: sites, in: attachment) }
  }
}

/// Rows of token tables that are trained beside whatever else a method does.
struct TrainedRows {
  /// The configuration's key, for errors.
  let key: String
  /// The component between a table's path and the rows' name.
  let component: String?
  /// True where rows start as the table's own.
  var startsFromTable = true

  /// Trains rows of the only table of a role.
  func attach(_ tokens: [Role: [Int]], to sites: SiteCatalog, in attachment: Attachment) throws {
    for (role, tokens) in tokens {
      guard let site = sites.sites.first(where: { $0.role == role }) else {
        throw TuningError("\(key): \(sites.modelType ?? "this model") has no \(role.rawValue) whose rows could be trained")
      }
      try attach(tokens, to: site, of: sites, in: attachment)
    }
  }

  /// Trains rows of one table: an embedding's, and those of a head that shares it, or those of a head with a matrix of its own.
  /// - Throws: `TuningError` for ids that are none of the table's or given twice, or a head that is not the only owner of its matrix.
  func attach(_ tokens: [Int], to site: Site, of sites: SiteCatalog, in attachment: Attachment) throws {
    guard let table = site.embedding?.weight ?? site.linear?.weight else { return }
    guard Set(tokens).count == tokens.count else { throw TuningError("\(key): lists an id twice") }
    if let outside = tokens.first(where: { !(0..<table.shape[0]).contains($0) }) {
      throw TuningError("\(key): \(outside) is none of the \(table.shape[0]) entries of \(site.path)")
    }
    let indices = Tensor(tokens.map(Int32.init))
    let rows = try scope(attachment.scope / site.path).parameter(
      "trainable_tokens_delta", [tokens.count, table.shape[1]], .normal(standardDeviation: 1))
    if !attachment.isLoading, startsFromTable { rows.assign(gatherRows(table.stored, indices)) }
    if let head = site.linear {
      guard head.ownsWeight else {
        throw TuningError("\(key): \(head.path) shares \(head.weight.path), whose rows are trained for both")
      }
      return try attachment.fill(head, with: ReplacedOutputs(rows, of: indices, ownsMatrix: true))
    }
    guard let embedding = site.embedding else { return }
    try attachment.fill(embedding, with: ReplacedRows(rows, of: tokens))
    for head in sites.linears where head.weight === embedding.weight {
      // As a method of its own PEFT keeps them under the head's name too.
      try attachment.ignore("\(scope(attachment.scope / head.path).path).trainable_tokens_delta", shape: rows.shape)
      try attachment.fill(head, with: ReplacedOutputs(rows, of: indices, ownsMatrix: false))
    }
  }

  private func scope(_ module: Scope) -> Scope { component.map { module / $0 } ?? module }
}

/// Trained rows in place of some of a table's.
private final class ReplacedRows: EmbeddingTableAdapter {
  /// `[replaced, width]`.
  let rows: Parameter
  private let tokens: [Int32]
  private let places: [Int32: Int32]

  init(_ rows: Parameter, of tokens: [Int]) {
    self.rows = rows
    self.tokens = tokens.map(Int32.init)
    places = Dictionary(uniqueKeysWithValues: tokens.enumerated().map { (Int32($0.element), Int32($0.offset)) })
  }

  func callAsFunction(_ tokens: Tensor, through base: Embedding, _ pass: Pass) -> Tensor {
    let places = tokens.elements().map { self.places[$0] ?? -1 }
    return replaceRows(of: base.plain(tokens), by: rows.operand, places)
  }

  func merge(into base: Embedding) throws(TuningError) {
    try base.weight.replace(with: replacedRows(of: base.weight.dense(), by: rows.value, tokens))
  }
}

/// Trained rows in place of some of a head's, whose matrix may be the embedding's table.
private final class ReplacedOutputs: LinearAdapter {
  /// `[replaced, width]`, and which they replace.
  let rows: Parameter, tokens: Tensor
  let ownsMatrix: Bool

  init(_ rows: Parameter, of tokens: Tensor, ownsMatrix: Bool) { (self.rows, self.tokens, self.ownsMatrix) = (rows, tokens, ownsMatrix) }

  func callAsFunction(_ x: Tensor, through base: Linear, _ pass: Pass) -> Tensor {
    let change = linear(x, rows.operand - gatherRows(base.weight.stored, tokens))
    return linear(change, selection(of: base.outputSize), addingTo: base.plain(x))
  }

  /// `[outputs, replaced]`: a one where an output is a replaced one's.
  private func selection(of outputs: Int) -> Tensor {
    let replaced = tokens.elements()
    var values = [Float](repeating: 0, count: outputs * replaced.count)
    for (column, row) in replaced.enumerated() { values[Int(row) * replaced.count + column] = 1 }
    return Tensor(values, [outputs, replaced.count])
  }

  /// The embedding merges a matrix that they share.
  func merge(into base: Linear) throws(TuningError) {
    guard ownsMatrix else { return }
    try base.merge { replacedRows(of: $0, by: rows.value, tokens.elements()) }
  }
}

/// A table with some rows replaced.
private func replacedRows(of table: Tensor, by rows: Tensor, _ tokens: [Int32]) -> Tensor {
  var places = [Int32](repeating: -1, count: table.shape[0])
  for (index, token) in tokens.enumerated() { places[Int(token)] = Int32(index) }
  return replaceRows(of: table, by: rows, places)
}
