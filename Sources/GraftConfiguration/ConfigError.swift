import GraftErrors

/// A configuration that cannot be used, with its place and the remedy.
public struct ConfigError: UserError, Equatable {
  /// The sort of fault.
  public enum Kind: Sendable {
    /// The file says something it must not.
    case invalid
    /// There is no such file.
    case noSuchFile
    /// The file is there, and reading it failed.
    case unreadable
  }

  /// The sort of fault.
  public var kind: Kind
  /// The file and line; nil for a configuration made in code.
  public var location: ConfigLocation?
  /// The keys from the root to the value, for example `["training", "batch_size"]`.
  public var path: [String]
  /// The fault.
  public var problem: String
  /// The way to mend it.
  public var advice: String

  /// - Parameters:
  ///   - location: the file and line; nil for a configuration made in code.
  ///   - path: the keys from the root to the value.
  public init(
    location: ConfigLocation?, path: [String], problem: String, advice: String, kind: Kind = .invalid
  ) {
    self.kind = kind
    self.location = location
    self.path = path
    self.problem = problem
    self.advice = advice
  }

  /// `FILE:LINE: key.path: PROBLEM; ADVICE`.
  public var description: String {
    let place = location.map { $0.line > 0 ? ["\($0.file):\($0.line)"] : [$0.file] } ?? []
    let key = path.isEmpty ? [] : [path.joined(separator: ".")]
    return (place + key + ["\(problem); \(advice)"]).joined(separator: ": ")
  }

  public var status: ErrorStatus {
    switch kind {
    case .invalid: .usage
    case .noSuchFile: .missingInput
    case .unreadable: .inputOutput
    }
  }
}
