import Foundation
import GraftCheckpoints

/// What to do with an output directory that is in use already.
public enum UsedOutput: Sendable, Hashable {
  /// Refuse it.
  case refused
  /// Go on with the run in it.
  case resumed
  /// Remove what an earlier run wrote, and start anew.
  case overwritten
}

/// An output directory that a command has for itself: asked for before anything is read, made and cleared only once everything was.
final class OutputClaim {
  let path: String
  private let files: WrittenFiles
  private let use: UsedOutput
  private var lock: DirectoryLock?

  /// - Throws: `CheckpointError` of kind `cannotCreate` for a directory that another process writes to, that holds a run where none may be, or
  ///   that holds what no run wrote where it is to be overwritten.
  init(_ path: String, files: WrittenFiles, use: UsedOutput) throws(CheckpointError) {
    (self.path, self.files, self.use) = (path, files, use)
    guard FileManager.default.fileExists(atPath: path) else { return }
    lock = try DirectoryLock(path)
    switch use {
    case .resumed:
      if let title = Self.content(of: path), title != files.title {
        throw CheckpointError(.cannotCreate, path, "holds \(title), not \(files.title) to go on with", remedy: "choose another directory with --output")
      }
    case .refused:
      if let title = Self.content(of: path) {
        throw CheckpointError(
          .cannotCreate, path, "holds \(title) already",
          remedy: files.occur(in: path) ? "go on with it by --resume, replace it by --overwrite, or choose another directory with --output" : "choose another directory with --output")
      }
    case .overwritten:
      if let foreign = files.foreignPath(in: path), !WrittenFiles.entries(of: path).isEmpty {
        throw CheckpointError(
          .cannotCreate, path, "holds \(foreign.dropFirst(path.count + 1)), which \(files.title) did not write and --overwrite does not remove",
          remedy: "move it away, or choose another directory with --output")
      }
    }
  }

  /// Makes the directory, or clears it of what is to be replaced and of what killed processes left.
  /// - Throws: `CheckpointError` of kind `cannotCreate`.
  func take() throws(CheckpointError) {
    try createDirectory(path)
    if lock == nil { lock = try DirectoryLock(path) }
    if use == .overwritten { try files.remove(from: path) }
    try files.removePartial(from: path)
  }

  /// What a directory holds that must not be mixed with a run's files.
  private static func content(of path: String) -> String? {
    if WrittenFiles.ofComparison.occur(in: path), FileManager.default.fileExists(atPath: path + "/results.json") { return "a comparison" }
    if WrittenFiles.ofRun.occur(in: path) { return "a run" }
    let others = [("adapter_config.json", "an exported adapter"), ("config.json", "a model")]
    return others.first { FileManager.default.fileExists(atPath: "\(path)/\($0.0)") }?.1
  }
}
