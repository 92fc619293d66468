import Foundation

/// Opens the files that people name: regular ones only, so that nothing waits for a pipe's writer or a device.
public enum InputFile {
  /// The descriptor of a regular file, open for reading.
  ///
  /// - Throws: `InputFileError` where there is none, or it may not be read.
  public static func open(_ path: String) throws(InputFileError) -> Int32 {
    // A pipe without a writer would block at this very call, were it not for O_NONBLOCK, which a regular file ignores.
    let descriptor = Foundation.open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { throw InputFileError(path, opening: errno) }
    var status = stat()
    guard fstat(descriptor, &status) == 0, let problem = kindProblem(status.st_mode) else { return descriptor }
    close(descriptor)
    throw InputFileError(path, problem)
  }

  /// All bytes of a regular file.
  ///
  /// - Throws: `InputFileError`, also where a reading fails or the file becomes shorter meanwhile.
  public static func bytes(of path: String) throws(InputFileError) -> [UInt8] {
    let descriptor = try open(path)
    defer { close(descriptor) }
    let size = Self.size(of: descriptor)
    var failure: Int32?
    let bytes = [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
      while count < size, failure == nil {
        let taken = read(descriptor, buffer.baseAddress.unsafelyUnwrapped + count, min(size - count, 1 << 30))
        if taken < 0, errno == EINTR { continue }
        if taken > 0 { count += taken } else { failure = taken < 0 ? errno : EIO }
      }
    }
    if let failure { throw InputFileError(path, .unreadable(code: failure)) }
    return bytes
  }

  /// All bytes of a regular file; `nil` where there is none of that name.
  ///
  /// - Throws: `InputFileError` for what is there and cannot be read.
  public static func bytesIfPresent(of path: String) throws(InputFileError) -> [UInt8]? {
    do { return try bytes(of: path) } catch {
      guard error.problem == .missing else { throw error }
      return nil
    }
  }

  /// The bytes that a regular file has.
  ///
  /// - Throws: `InputFileError` where there is none, or it may not be read.
  public static func size(of path: String) throws(InputFileError) -> Int {
    let descriptor = try open(path)
    defer { close(descriptor) }
    return size(of: descriptor)
  }

  private static func size(of descriptor: Int32) -> Int {
    var status = stat()
    return fstat(descriptor, &status) == 0 ? Int(status.st_size) : 0
  }

  private static func kindProblem(_ mode: mode_t) -> InputFileError.Problem? {
    switch mode & S_IFMT {
    case S_IFREG: nil
    case S_IFDIR: .directory
    case S_IFIFO: .special("a pipe")
    case S_IFSOCK: .special("a socket")
    case S_IFCHR, S_IFBLK: .special("a device")
    default: .special("no regular file")
    }
  }
}

/// Why a file that somebody named cannot be read.
public struct InputFileError: Error, Sendable, Equatable, CustomStringConvertible {
  public enum Problem: Sendable, Equatable {
    case missing
    case directory
    /// A pipe, a socket or a device.
    case special(String)
    /// The system refuses it, with an `errno`.
    case unreadable(code: Int32)
    /// A byte that no UTF-8 text has there.
    case notUTF8(byte: UInt8, line: Int)
  }

  public let path: String
  public let problem: Problem

  public init(_ path: String, _ problem: Problem) {
    self.path = path
    self.problem = problem
  }

  init(_ path: String, opening code: Int32) {
    self.path = path
    problem = code == ENOENT || code == ENOTDIR ? .missing : .unreadable(code: code)
  }

  /// Whether the file is there and may be read, and the system could not.
  public var isFailedReading: Bool {
    if case .unreadable(let code) = problem { FileError.reading(path, code).kind == .inputOutput } else { false }
  }

  /// Whether the file's content is at fault, not the path.
  public var isMalformed: Bool { line != nil }

  /// The line of a byte that is not UTF-8.
  public var line: Int? {
    if case .notUTF8(_, let line) = problem { line } else { nil }
  }

  /// What is wrong.
  public var message: String {
    switch problem {
    case .missing: "there is no such file"
    case .directory: "is a folder, not a file"
    case .special(let kind): "is \(kind), not a file"
    case .unreadable(let code): "cannot be read: \(String(cString: strerror(code)).lowercased())"
    case .notUTF8(let byte, _): "the byte 0x\(String(byte, radix: 16, uppercase: true)) is not UTF-8"
    }
  }

  /// What to do about it.
  public var remedy: String {
    switch problem {
    case .missing: "check the path"
    case .directory: "name a file"
    case .special: "write its content to a file first"
    case .unreadable: isFailedReading ? "check the disk, or restore the file from a copy" : "check its permissions"
    case .notUTF8: "save the file as UTF-8"
    }
  }

  /// `WHERE: WHAT; HOW TO FIX`.
  public var description: String { "\(path): \(line.map { "\($0): " } ?? "")\(message); \(remedy)" }
}
