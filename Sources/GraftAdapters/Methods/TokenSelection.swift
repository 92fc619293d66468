import GraftConfiguration
import GraftLayers

/// PEFT's `trainable_token_indices`: ids of tokens whose rows are trained, of the token embedding or of tables by name.
public enum TokenSelection: Codable, Sendable, Hashable {
  /// Tokens of the token embedding, in the configuration's order.
  case embedding([Int])
  /// In the configuration's order.
  case tables([Table])

  /// Tokens of one table.
  public struct Table: Codable, Sendable, Hashable {
    /// A path, or the end of one.
    package var name: String
    package var tokens: [Int]

    package init(name: String, tokens: [Int]) { (self.name, self.tokens) = (name, tokens) }
  }

  public init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    if let tokens = try? container.decode([Int].self) {
      self = .embedding(tokens)
      return
    }
    let tree = try container.decode(ConfigTree.self)
    guard let entries = tree.mapping?.entries else {
      throw DecodingError.dataCorruptedError(in: container, debugDescription: "no list of token ids, nor lists by table; write [5, 6]")
    }
    self = .tables(
      try entries.map { entry in
        guard let tokens = entry.value.sequence?.map(\.int), !tokens.contains(nil) else {
          throw DecodingError.dataCorruptedError(in: container, debugDescription: "\(entry.key) has no list of token ids; write [5, 6]")
        }
        return Table(name: entry.key, tokens: tokens.compactMap(\.self))
      })
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    switch self {
    case .embedding(let tokens): try container.encode(tokens)
    case .tables(let tables):
      try container.encode(
        ConfigTree.mapping(ConfigMapping(tables.map { ($0.name, .sequence($0.tokens.map { .scalar(.integer($0)) })) })))
    }
  }

  /// - Throws: `TuningError` for a name that no table has, and as `TrainedRows` does.
  func attach(to sites: SiteCatalog, in attachment: Attachment) throws {
    let rows = TrainedRows(key: "trainable_token_indices", component: "token_adapter")
    switch self {
    case .embedding(let tokens): try rows.attach([.tokenEmbedding: tokens], to: sites, in: attachment)
    case .tables(let tables):
      var chosen: [(table: Table, site: Site)] = []
      for table in tables {
        let matched = try Targets(modules: .names([table.name])).matches(in: sites, kind: "embedding or head", for: attachment) {
          $0.embedding != nil || $0.role == .languageModelHead
        }
        chosen += matched.filter { !isTied($0, with: table, in: sites) }.map { (table, $0) }
      }
      // A head with rows of its own has a matrix of its own.
      for head in chosen.compactMap(\.site.linear) { attachment.untie(head, of: sites) }
      for (table, site) in chosen { try rows.attach(table.tokens, to: site, of: sites, in: attachment) }
    }
  }

  /// Returns true for a head that has the rows that its embedding is given anyway.
  private func isTied(_ site: Site, with table: Table, in sites: SiteCatalog) -> Bool {
    guard case .tables(let tables) = self, let head = site.linear else { return false }
    guard let embedding = sites.sites.first(where: { $0.embedding?.weight === head.weight }) else { return false }
    return tables.contains { $0.tokens == table.tokens && ModuleSelection.matches(embedding.path, name: $0.name) }
  }
}

extension LoRA: TokenTrainingMethod {
  public mutating func train(tokens: [Int], ofTables tables: [String]) {
    var selected: [TokenSelection.Table] =
      switch trainableTokenIndices {
      case nil: []
      case .embedding(let given): [TokenSelection.Table(name: tables.first ?? "embed_tokens", tokens: given)]
      case .tables(let given): given
      }
    for table in tables {
      if let index = selected.firstIndex(where: { ModuleSelection.matches(table, name: $0.name) }) {
        selected[index].tokens += tokens
      } else {
        selected.append(TokenSelection.Table(name: table, tokens: tokens))
      }
    }
    trainableTokenIndices = .tables(selected)
  }
}

extension TrainableTokens: TokenTrainingMethod {
  public mutating func train(tokens: [Int], ofTables tables: [String]) {
    tokenIndices += tokens
    if targetModules == nil, tables.count > 1 { targetModules = .names(tables) }
  }
}
