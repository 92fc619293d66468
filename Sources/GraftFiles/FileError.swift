import Foundation
import GraftErrors

/// A file that cannot be read or written, worded for the person who named it.
public struct FileError: UserError, Equatable {
  /// The sort of failure.
  public enum Kind: Sendable {
    /// The input does not exist, may not be read, or is no file.
    case missing
    /// The content is not what it should be.
    case malformed
    /// The output cannot be created there.
    case cannotCreate
    /// Reading or writing failed half-way, as on a full disk.
    case inputOutput
    /// The file does not fit into the memory that the process may have.
    case outOfMemory
  }

  /// The sort of failure.
  public let kind: Kind
  /// The path of the file.
  public let path: String
  /// The line that is malformed, counted from 1.
  public let line: Int?
  /// The fault.
  public let problem: String
  /// The way to mend it, where that is known.
  public let remedy: String?
  /// The `errno` with which the system refused to open the file or to go on reading it.
  package let readingCode: Int32?

  /// - Parameters:
  ///   - line: the line that is malformed, counted from 1.
  ///   - problem: the fault.
  ///   - remedy: the way to mend it.
  public init(_ kind: Kind, _ path: String, line: Int? = nil, _ problem: String, remedy: String? = nil) {
    self.init(kind, path, line: line, problem, remedy: remedy, readingCode: nil)
  }

  init(_ kind: Kind, _ path: String, line: Int? = nil, _ problem: String, remedy: String?, readingCode: Int32?) {
    self.kind = kind
    self.path = path
    self.line = line
    self.problem = problem
    self.remedy = remedy
    self.readingCode = readingCode
  }

  /// `WHERE: WHAT; HOW TO FIX`.
  public var description: String { "\(path): \(line.map { "\($0): " } ?? "")\(problem)" + (remedy.map { "; \($0)" } ?? "") }

  public var status: ErrorStatus {
    switch kind {
    case .missing: .missingInput
    case .malformed: .malformedInput
    case .cannotCreate: .cannotCreate
    case .inputOutput: .inputOutput
    case .outOfMemory: .systemFailure
    }
  }

  /// The failure of a system call that opens, reads or maps `path`, told from `errno`.
  public static func reading(_ path: String, _ code: Int32 = errno) -> FileError {
    switch code {
    case ENOENT, ENOTDIR: FileError(.missing, path, "no such file or directory")
    case EACCES, EPERM, EISDIR, ELOOP, ENAMETOOLONG: FileError(.missing, path, systemMessage(code))
    case ENOMEM: FileError(.outOfMemory, path, "does not fit into memory", remedy: "free some, or raise the limit that `ulimit -v` shows")
    default: FileError(.inputOutput, path, systemMessage(code), remedy: "check the disk, or restore the file from a copy")
    }
  }

  /// The failure of a system call that creates or writes `path`, told from `errno`.
  public static func writing(_ path: String, _ code: Int32 = errno) -> FileError {
    switch code {
    case ENOSPC, EDQUOT: FileError(.inputOutput, path, systemMessage(code), remedy: "free some space or choose another place")
    case EIO, EFBIG, EBADF, EINVAL: FileError(.inputOutput, path, systemMessage(code), remedy: "check the disk or choose another place")
    default: FileError(.cannotCreate, path, "cannot create: " + systemMessage(code), remedy: "choose another place")
    }
  }

  private static func systemMessage(_ code: Int32) -> String {
    let text = String(cString: strerror(code))
    return text.prefix(1).lowercased() + text.dropFirst()
  }
}
