import Foundation
import GraftCheckpoints

/// The treatment of an output directory that is in use already.
public enum UsedOutput: Sendable, Hashable {
  /// Refuse it.
  case refused
  /// Go on with the run in it.
  case resumed
  /// Remove what an earlier run wrote, and start anew.
  case overwritten
}

/// An output directory that a command has for itself: asked for before anything is read, made and cleared only once everything was.
package final class OutputClaim {
  package let path: String
  private let files: WrittenFiles
  private let use: UsedOutput
  private var lock: DirectoryLock?

  /// - Throws: `CheckpointError` of kind `cannotCreate` for a directory that another process writes to, that holds a run where none may be, or
  ///   that holds what no run wrote where it is to be overwritten.
  package init(_ path: String, files: WrittenFiles, use: UsedOutput) throws(CheckpointError) {
    (self.path, self.files, self.use) = (path, files, use)
    guard FileManager.default.fileExists(atPath: path) else { return }
    lock = try DirectoryLock(path)
    switch use {
    case .resumed:
      if let title = content, title != files.title {
        throw CheckpointError(
          .cannotCreate, path, "holds \(title), not \(files.title) to go on with", remedy: "choose another directory with --output")
      }
    case .refused:
      if let title = content {
        throw CheckpointError(
          .cannotCreate, path, "holds \(title) already",
          remedy: (title == files.title ? "go on with it by --resume, replace it by --overwrite, or " : "") + "choose another directory with --output"
        )
      }
    case .overwritten:
      if let foreign = files.foreignPath(in: path) {
        throw CheckpointError(
          .cannotCreate, path, "holds \(foreign.dropFirst(path.count + 1)), which \(files.title) did not write and --overwrite does not remove",
          remedy: "move it away, or choose another directory with --output")
      }
    }
  }

  /// Makes the directory, or clears it of what is to be replaced and of what killed processes left.
  /// - Throws: `CheckpointError` of kind `cannotCreate`.
  package func take() throws(CheckpointError) {
    try createDirectory(path)
    if lock == nil { lock = try DirectoryLock(path) }
    if use == .overwritten { try files.remove(from: path) }
    try files.removePartial(from: path)
  }

  /// The content of the directory that must not be mixed with a run's files.
  private var content: String? {
    let names = WrittenFiles.entries(of: path)
    func holds(_ marks: [String]) -> Bool { names.contains { name in marks.contains { name.hasPrefix($0) } } }
    if holds(["results.json", "results.csv"]) { return WrittenFiles.ofComparison.title }
    if holds(["metrics.jsonl", "adapter.h5", "summary.json", "checkpoints", "events.out.tfevents."]) { return WrittenFiles.ofRun.title }
    // What both write first.
    if holds(["recipe.yaml", "report.html"]) { return files.title }
    return holds(["adapter_config.json"]) ? "an exported adapter" : holds(["config.json"]) ? "a model" : nil
  }
}
