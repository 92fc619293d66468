import Foundation
import GraftCheckpoints
import GraftJSON

/// The files of a run, as the contract lists them.
final class RunDirectory {
  let path: String
  private var lines: [JSON]
  private let handle: FileHandle

  /// Begins in a directory that is the run's own, or goes on in it.
  /// - Parameter keeping: the metrics lines of an interrupted run to go on from.
  /// - Throws: `CheckpointError` of kind `cannotCreate` or `inputOutput`.
  init(_ claim: OutputClaim, keeping lines: [JSON] = []) throws {
    try claim.take()
    path = claim.path
    self.lines = lines
    try AtomicFile.write(Self.text(of: lines).utf8, to: path + "/metrics.jsonl")
    guard let handle = FileHandle(forWritingAtPath: path + "/metrics.jsonl"), (try? handle.seekToEnd()) != nil else {
      throw CheckpointError(.cannotCreate, path + "/metrics.jsonl", "cannot be written", remedy: "choose another directory with --output")
    }
    self.handle = handle
  }

  deinit { try? handle.close() }

  var metrics: [JSON] { lines }

  func write(_ text: String, to name: String) throws { try AtomicFile.write(text.utf8, to: "\(path)/\(name)") }

  /// Appends a line to `metrics.jsonl` at once, so that it can be followed.
  func append(_ line: JSON) throws {
    lines.append(line)
    do {
      try handle.write(contentsOf: Data((line.serialized() + "\n").utf8))
    } catch {
      throw CheckpointError(.inputOutput, path + "/metrics.jsonl", "cannot be written", remedy: "free some space on the disk")
    }
  }

  private static func text(of lines: [JSON]) -> String { lines.map { $0.serialized() + "\n" }.joined() }
}
