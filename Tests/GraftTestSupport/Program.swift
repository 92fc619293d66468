import Foundation

/// A program that runs to its end.
public struct Program {
  /// The exit code; 128 and the signal's number where a signal ended it, which would else pass for an exit code.
  public let code: Int32
  public let output: String
  public let errors: String

  /// The last line of standard error: what went wrong.
  public var complaint: String { errors.split(separator: "\n").last.map(String.init) ?? "" }

  /// Runs a program by its name or path, in the repository's root unless told otherwise.
  public init(_ arguments: String..., folder: URL = Repository.root) throws { try self.init(arguments: arguments, folder: folder) }

  /// Runs a program by its name or path, in the repository's root unless told otherwise.
  public init(arguments: [String], folder: URL = Repository.root) throws {
    let process = Process()
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.arguments = arguments
    process.currentDirectoryURL = folder
    try self.init(running: process)
  }

  /// Starts a process, and waits for its end.
  /// - Parameter input: standard input; nothing where nil.
  public init(running process: Process, input: FileHandle? = nil) throws {
    let output = Pipe()
    let errors = Pipe()
    process.standardOutput = output
    process.standardError = errors
    process.standardInput = input ?? FileHandle.nullDevice
    try process.run()
    let text = try output.fileHandleForReading.readToEnd() ?? Data()
    let complaints = try errors.fileHandleForReading.readToEnd() ?? Data()
    process.waitUntilExit()
    code = process.terminationReason == .exit ? process.terminationStatus : 128 + process.terminationStatus
    self.output = String(decoding: text, as: UTF8.self)
    self.errors = String(decoding: complaints, as: UTF8.self)
  }
}
