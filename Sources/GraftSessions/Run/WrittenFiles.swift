import Foundation
import GraftCheckpoints

/// The files that a command writes to its output directory, by which it tells its own from others'.
package struct WrittenFiles: Sendable {
  /// The word of messages for the content of the directory.
  let title: String
  /// The names that the command writes, with what may be in those that are directories.
  private let names: [String: Content]
  private let prefixes: [String]

  fileprivate enum Content: Sendable {
    case file
    /// A directory of which everything was written as a whole.
    case whole
    /// A directory of entries that satisfy a condition and hold what is said.
    case directory(@Sendable (String) -> Bool, of: WrittenFiles?)
  }

  /// A run's.
  package static let ofRun = WrittenFiles(
    title: "a run",
    names: [
      "recipe.yaml": .file, "metrics.jsonl": .file, "adapter.h5": .file, "summary.json": .file, "report.html": .file, "model": .whole,
      "checkpoints": .directory(
        { $0 == "best" || $0.hasPrefix("step-") }, of: WrittenFiles(title: "a checkpoint", names: ["adapter.h5": .file], prefixes: [])),
    ],
    prefixes: ["events.out.tfevents."])

  /// A comparison's.
  package static let ofComparison = WrittenFiles(
    title: "a comparison",
    names: [
      "recipe.yaml": .file, "results.json": .file, "results.csv": .file, "results.md": .file, "results.tex": .file,
      "report.html": .file, "runs": .directory({ _ in true }, of: .ofRun),
      "results": .directory({ $0.hasSuffix(".json") }, of: nil), "plots": .directory({ $0.hasSuffix(".svg") || $0.hasSuffix(".png") }, of: nil),
    ],
    prefixes: [])

  /// A report's of several runs.
  package static let ofReport = WrittenFiles(
    title: "a report of runs",
    names: [
      "report.html": .file, "runs.md": .file, "runs.tex": .file, "plots": .directory({ $0.hasSuffix(".svg") || $0.hasSuffix(".png") }, of: nil),
    ],
    prefixes: [])

  /// The first path in a directory that the command did not write; nil where all is its own.
  func foreignPath(in path: String) -> String? {
    for name in Self.entries(of: path) where !Self.isPartial(name) {
      let whole = "\(path)/\(name)"
      guard let content = content(of: name), Self.isDirectory(whole) == content.isDirectory else { return whole }
      guard case .directory(let isOwn, let inner) = content else { continue }
      for entry in Self.entries(of: whole) where !Self.isPartial(entry) {
        guard isOwn(entry), Self.isDirectory("\(whole)/\(entry)") == (inner != nil) else { return "\(whole)/\(entry)" }
        if let foreign = inner?.foreignPath(in: "\(whole)/\(entry)") { return foreign }
      }
    }
    return nil
  }

  /// Removes everything that the command writes.
  /// - Throws: `CheckpointError` of kind `cannotCreate`.
  func remove(from path: String) throws(CheckpointError) {
    for name in Self.entries(of: path) where content(of: name) != nil || Self.isPartial(name) { try Self.remove("\(path)/\(name)") }
  }

  /// Removes what processes that were killed had not yet given its name.
  func removePartial(from path: String) throws(CheckpointError) {
    let folders = Self.entries(of: path).filter { name in if case .directory? = content(of: name) { true } else { false } }
    for folder in [path] + folders.map({ "\(path)/\($0)" }) {
      for name in Self.entries(of: folder) where Self.isPartial(name) { try Self.remove("\(folder)/\(name)") }
    }
  }

  /// Removes a directory that a kill must not leave half removed under its name.
  static func removeDirectory(_ name: String, in folder: String) throws(CheckpointError) {
    let hidden = "\(folder)/.\(name).partial-remove"
    try? remove(hidden)
    guard rename("\(folder)/\(name)", hidden) == 0 else { return try remove("\(folder)/\(name)") }
    try remove(hidden)
  }

  static func remove(_ path: String) throws(CheckpointError) {
    do { try FileManager.default.removeItem(atPath: path) } catch {
      throw CheckpointError(.cannotCreate, path, "cannot be removed", remedy: "check the permissions of its directory")
    }
  }

  static func entries(of path: String) -> [String] { ((try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []).sorted() }

  private func content(of name: String) -> Content? { names[name] ?? (prefixes.contains { name.hasPrefix($0) } ? .file : nil) }

  private static func isPartial(_ name: String) -> Bool { name.hasPrefix(".") && name.contains(".partial-") }

  private static func isDirectory(_ path: String) -> Bool {
    var isDirectory: ObjCBool = false
    return FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory) && isDirectory.boolValue
  }
}

extension WrittenFiles.Content {
  fileprivate var isDirectory: Bool {
    if case .file = self { false } else { true }
  }
}
