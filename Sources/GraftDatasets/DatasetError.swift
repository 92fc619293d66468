import GraftErrors

/// A data file that cannot be used, with the line and the remedy.
public struct DatasetError: UserError, Equatable {
  public enum Kind: Sendable {
    /// The file's content is not what it should be.
    case malformed
    case noSuchFile
    /// The file is there, and reading it failed.
    case unreadable
  }

  public var kind: Kind
  public var file: String?
  /// Counted from 1.
  public var line: Int?
  public var problem: String
  public var advice: String

  public init(file: String? = nil, line: Int? = nil, problem: String, advice: String, kind: Kind = .malformed) {
    self.kind = kind
    self.file = file
    self.line = line
    self.problem = problem
    self.advice = advice
  }

  /// `FILE:LINE: PROBLEM; ADVICE`.
  public var description: String {
    let place = file.map { file in line.map { "\(file):\($0): " } ?? "\(file): " } ?? ""
    return "\(place)\(problem); \(advice)"
  }

  public var status: ErrorStatus {
    switch kind {
    case .malformed: .malformedInput
    case .noSuchFile: .missingInput
    case .unreadable: .inputOutput
    }
  }
}
