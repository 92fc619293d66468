import Foundation
import GraftFiles

/// What went wrong with a file of weights, worded for the person who named it.
public struct CheckpointError: Error, Equatable, Sendable, CustomStringConvertible {
  /// The sort of failure; the command line turns it into an exit code of sysexits.
  public enum Kind: Sendable {
    /// The content breaks its format's rules (65).
    case malformed
    /// The content is well-formed, but not something this version can read (65).
    case unsupported
    /// The adapter was made for another base model (65); the one kind that `--force` overrides.
    case mismatchedBase
    /// The input does not exist or may not be read (66).
    case missing
    /// The output cannot be created there (73).
    case cannotCreate
    /// Reading or writing failed half-way, as on a full disk (74).
    case inputOutput
    /// What is asked for does not fit into the memory that the process may have (71).
    case outOfMemory
  }

  public let kind: Kind
  /// The file or directory, with the tensor, key or line where there is one.
  public let location: String
  /// What is wrong.
  public let problem: String
  /// What to do about it, where that is known.
  public let remedy: String?

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

  /// Why a file cannot be opened.
  init(_ error: InputFileError) {
    switch error.problem {
    case .missing: self = .reading(error.path, ENOENT)
    case .unreadable(let code): self = .reading(error.path, code)
    default: self = CheckpointError(error.isMalformed ? .malformed : .missing, error.path, error.message, remedy: error.remedy)
    }
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
    let kind: Kind =
      switch error.kind {
      case .missing: .missing
      case .cannotCreate: .cannotCreate
      case .inputOutput: .inputOutput
      case .outOfMemory: .outOfMemory
      }
    self.init(kind, error.path, error.problem, remedy: error.remedy)
  }
}
