import GraftErrors

/// A request that this version cannot serve.
public struct SessionError: UserError {
  /// The party at fault, with the exit code.
  public enum Kind: Sendable {
    /// The request itself is wrong (64).
    case usage
    /// The content of a file cannot be used so (65).
    case data
    /// The model computes values that are not finite (65).
    case nonFinite
  }

  /// The party at fault.
  public let kind: Kind
  public let description: String

  /// - Parameters:
  ///   - kind: the party at fault.
  ///   - description: one line: where, what, and how to mend it.
  public init(_ kind: Kind, _ description: String) {
    self.kind = kind
    self.description = description
  }

  public var status: ErrorStatus { kind == .usage ? .usage : .malformedInput }
}
