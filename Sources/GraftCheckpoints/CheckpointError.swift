import Foundation
import GraftErrors
import GraftFiles

/// A file of weights, or of what describes them, that cannot be read or written, worded for the person who named it.
public struct CheckpointError: UserError, Equatable {
  /// The sort of failure.
  public enum Kind: Sendable {
    /// The content breaks its format's rules.
    case malformed
    /// The content is well-formed, but not something this version can read.
    case unsupported
    /// The adapter was made for another base model; the one kind that `--force` overrides.
    case mismatchedBase
    /// The input does not exist or may not be read.
    case missing
    /// The output cannot be created there.
    case cannotCreate
    /// Reading or writing failed half-way, as on a full disk.
    case inputOutput
    /// The request does not fit into the memory that the process may have.
    case outOfMemory
  }

  /// The sort of failure.
  public let kind: Kind
  /// The file or directory, with the tensor, key or line where there is one.
  public let location: String
  /// The fault.
  public let problem: String
  /// The way to mend it, where that is known.
  public let remedy: String?

  /// - Parameters:
  ///   - location: the file or directory, with the tensor, key or line where there is one.
  ///   - problem: the fault.
  ///   - remedy: the way to mend it.
  public init(_ kind: Kind, _ location: String, _ problem: String, remedy: String? = nil) {
    self.kind = kind
    self.location = location
    self.problem = problem
    self.remedy = remedy
  }

  /// `WHERE: WHAT; HOW TO FIX`.
  public var description: String {
    "\(location): \(problem)" + (remedy.map { "; \($0)" } ?? "")
  }

  static func malformed(_ location: String, _ problem: String, remedy: String? = nil) -> CheckpointError {
    CheckpointError(.malformed, location, problem, remedy: remedy)
  }

  /// The failure of a system call that opens or reads `path`, told from `errno`.
  static func reading(_ path: String, _ code: Int32 = errno) -> CheckpointError { CheckpointError(FileError.reading(path, code)) }

  /// The failure of a system call that creates or writes `path`, told from `errno`.
  static func writing(_ path: String, _ code: Int32 = errno) -> CheckpointError { CheckpointError(FileError.writing(path, code)) }

  /// The same error about the place where a temporary file was to end up.
  package func moved(from temporary: String, to path: String) -> CheckpointError {
    CheckpointError(kind, path + location.dropFirst(temporary.count), problem, remedy: remedy)
  }
}

extension CheckpointError {
  init(_ error: FileError) {
    // Whoever names a model or an adapter need not have named this file.
    let error = error.readingCode.map { FileError.reading(error.path, $0) } ?? error
    let kind: Kind =
      switch error.kind {
      case .missing: .missing
      case .malformed: .malformed
      case .cannotCreate: .cannotCreate
      case .inputOutput: .inputOutput
      case .outOfMemory: .outOfMemory
      }
    self.init(kind, error.path, error.problem, remedy: error.remedy)
  }

  public var status: ErrorStatus {
    switch kind {
    case .malformed, .unsupported, .mismatchedBase: .malformedInput
    case .missing: .missingInput
    case .cannotCreate: .cannotCreate
    case .inputOutput: .inputOutput
    case .outOfMemory: .systemFailure
    }
  }
}
