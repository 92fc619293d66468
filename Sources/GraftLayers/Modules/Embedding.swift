import GraftTensors

/// A table of one vector per token (or position, or segment).
public final class Embedding {
  /// The module's path, such as `model.embed_tokens`.
  public let path: String
  /// `[entries, width]`.
  public let weight: Parameter
  /// The purpose of the table; nil where methods do not ask for it.
  public let role: Role?
  /// The adapter in the layer's slot.
  public var adapter: (any EmbeddingTableAdapter)?
  /// Virtual tokens before every sequence, in the slot of the token embedding.
  public var prompt: (any PromptAdapter)?

  /// The row that no gradient reaches, torch's `padding_idx`.
  private let padding: Int?

  /// - Parameter padding: the token whose vector is not trained; counted from the end where negative, none where outside.
  public init(
    _ scope: Scope, entries: Int, width: Int, role: Role? = nil, padding: Int? = nil, initializer: Initializer = .normal(standardDeviation: 0.02)
  ) throws {
    path = scope.path
    self.padding = padding.map { $0 < 0 ? $0 + entries : $0 }
    weight = try scope.table("weight", [entries, width], initializer)
    self.role = role
    scope.catalog.add(Site(path: path, role: role, module: .embedding(self)))
  }

  /// The number of vectors.
  public var entries: Int { weight.shape[0] }

  /// - Parameter indices: int32 `[tokens]`.
  /// - Returns: `[tokens, width]`.
  public func callAsFunction(_ indices: Tensor, _ pass: Pass) -> Tensor {
    adapter?(indices, through: self, pass) ?? plain(indices)
  }

  /// The look-up without the adapter.
  public func plain(_ indices: Tensor) -> Tensor { gatherRows(weight.table, indices, untrained: padding) }
}
