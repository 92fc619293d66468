import GraftErrors

/// A data file that cannot be used, with the line and the remedy.
public struct DatasetError: UserError, Equatable {
  /// The sort of fault.
  public enum Kind: Sendable {
    /// The file's content is not what it should be.
    case malformed
    /// There is no such file.
    case noSuchFile
    /// The file is there, and reading it failed.
    case unreadable
  }

  /// The sort of fault.
  public var kind: Kind
  /// The path of the file; nil where the fault is in none.
  public var file: String?
  /// Counted from 1.
  public var line: Int?
  /// The fault.
  public var problem: String
  /// The way to mend it.
  public var advice: String

  /// - Parameter line: counted from 1.
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
