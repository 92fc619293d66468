import GraftErrors

/// A request that generation cannot serve.
public struct GenerationError: UserError {
  /// The sort of failure.
  public enum Kind: Sendable {
    /// The model, or what is asked of it, does not generate.
    case unsupported
    /// The model's logits are not finite.
    case nonFinite
  }

  /// The sort of failure.
  public let kind: Kind
  public let description: String

  init(_ kind: Kind, _ description: String) { (self.kind, self.description) = (kind, description) }

  public var status: ErrorStatus { .usage }
}
