import Foundation

/// The failure of a system call on a file, worded for the person who named it.
public struct FileError: Error, Equatable, Sendable, CustomStringConvertible {
  /// The sort of failure; the command line turns it into an exit code of sysexits.
  public enum Kind: Sendable {
    /// The input does not exist, may not be read, or is no file (66).
    case missing
    /// The output cannot be created there (73).
    case cannotCreate
    /// Reading or writing failed half-way, as on a full disk (74).
    case inputOutput
    /// The file does not fit into the memory that the process may have (71).
    case outOfMemory
  }

  public let kind: Kind
  public let path: String
  /// What is wrong.
  public let problem: String
  /// What to do about it, where that is known.
  public let remedy: String?

  public init(_ kind: Kind, _ path: String, _ problem: String, remedy: String? = nil) {
    self.kind = kind
    self.path = path
    self.problem = problem
    self.remedy = remedy
  }

  /// `WHERE: WHAT; HOW TO FIX`.
  public var description: String { "\(path): \(problem)" + (remedy.map { "; \($0)" } ?? "") }

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

extension FileError {
  /// The failure that an error of Foundation's stands for; `nil` for errors that are not about files.
  ///
  /// Foundation tells the system's code as an underlying error, or only a code of its own.
  public init?(foundation error: any Error) {
    guard let error = Parts(error) else { return nil }
    let path = error.path ?? "a file"
    let isWriting = error.domain == NSCocoaErrorDomain && (512..<768).contains(error.code)
    if let code = error.systemCode {
      self = isWriting ? .writing(path, code) : .reading(path, code)
      return
    }
    guard error.domain == NSCocoaErrorDomain else { return nil }
    switch CocoaError.Code(rawValue: error.code) {
    case .fileNoSuchFile, .fileReadNoSuchFile: self = .reading(path, ENOENT)
    case .fileReadNoPermission: self = .reading(path, EACCES)
    case .fileReadTooLarge: self = .reading(path, ENOMEM)
    case .fileReadInapplicableStringEncoding: self.init(.inputOutput, path, "is not UTF-8 text", remedy: "save it as UTF-8")
    case .fileWriteOutOfSpace: self = .writing(path, ENOSPC)
    case .fileWriteNoPermission: self = .writing(path, EACCES)
    case .fileWriteVolumeReadOnly: self = .writing(path, EROFS)
    case .fileWriteFileExists: self = .writing(path, EEXIST)
    default: self = isWriting ? .writing(path, EIO) : .reading(path, EIO)
    }
  }

  /// The parts of an error of Foundation's, in whichever of its forms it comes.
  private struct Parts {
    let domain: String
    let code: Int
    private let information: [String: Any]

    init?(_ error: any Error) {
      // Every error can be made an NSError, also those of the program that are none of Foundation's.
      guard error is CocoaError || error is POSIXError || type(of: error) is NSError.Type else { return nil }
      let error = error as NSError
      (domain, code, information) = (error.domain, error.code, error.userInfo)
    }

    var path: String? {
      (information[NSFilePathErrorKey] as? String) ?? (information[NSURLErrorKey] as? URL)?.path(percentEncoded: false)
    }

    var systemCode: Int32? {
      if domain == NSPOSIXErrorDomain { return Int32(truncatingIfNeeded: code) }
      return (information[NSUnderlyingErrorKey] as? any Error).flatMap(Parts.init)?.systemCode
    }
  }
}
