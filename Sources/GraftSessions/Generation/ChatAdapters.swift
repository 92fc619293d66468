import Foundation
import GraftAdapters
import GraftBatching
import GraftCheckpoints
import GraftConfiguration
import GraftJSON
import GraftLayers
import GraftModels

/// The adapters that a conversation switches between, by the names of their files.
public final class ChatAdapters {
  private let session: ModelSession
  private let ignoresFingerprint: Bool
  /// The names with the keys of the model's set.
  private var entries: [(name: String, path: String, key: String)] = []

  /// - Parameters:
  ///   - paths: the adapters that the session has been opened with, in order.
  ///   - ignoresFingerprint: true where an adapter for another base is used all the same.
  public init(_ session: ModelSession, opened paths: [String], ignoresFingerprint: Bool = false) {
    (self.session, self.ignoresFingerprint) = (session, ignoresFingerprint)
    for (path, key) in zip(paths, session.adapters.names) { entries.append((name(of: path), path, key)) }
  }

  /// The names of the adapters that are in memory.
  public var names: [String] { entries.map(\.name) }

  /// Reads an adapter, unless one of that name or path is in memory already.
  ///
  /// - Returns: its name.
  /// - Throws: `SessionError` for an adapter that asks for another model than the one in memory, and what reading and attaching it throws.
  public func load(_ wanted: String) throws -> String {
    if let known = entries.first(where: { $0.name == wanted || $0.path == wanted }) { return known.name }
    guard FileManager.default.fileExists(atPath: wanted) else {
      let near = NearestName.of(wanted, among: names).map { "; did you mean \($0)?" } ?? "; give the path of a file or a directory"
      throw SessionError(.usage, "\(wanted): there is no such adapter\(near)")
    }
    let file = try AdapterFile.read(wanted)
    let adapter = try file.adapter()
    try require(adapter, from: wanted)
    if let base = file.base, !ignoresFingerprint { try base.verify(try session.fingerprint(for: base), for: wanted) }
    let key = "\(session.adapters.names.count)"
    try session.adapters.add(key, try MethodCatalog.decode(stored: adapter.configuration, from: wanted), from: adapter.weights(from: wanted))
    let name = name(of: wanted)
    entries.append((name, wanted, key))
    return name
  }

  /// An adapter that changes what the model is could only be put on a model that is loaded for it.
  private func require(_ adapter: StoredAdapter, from path: String) throws {
    let remedy = "start graft chat with --adapter \(path)"
    if let task = LearningTask(peftName: adapter.taskType), task != session.task {
      throw SessionError(.usage, "\(path): was trained for \(task.rawValue), not for \(session.task.rawValue); choose an adapter for conversations")
    }
    if let size = adapter.vocabularySize, let model = session.model as? any CausalLanguageModel, size != model.vocabularySize {
      throw SessionError(.usage, "\(path): adds tokens to the model; \(remedy)")
    }
    let style = adapter.training?.state?[ArchitectureConfiguration.attentionStyleKey]?.string
    if let style, let own = session.model.attentionStyle, style != own.rawValue {
      throw SessionError(.usage, "\(path): was trained with \(style) attention; \(remedy)")
    }
  }

  /// Turns an adapter on, and the others off.
  /// - Parameter name: nil for none.
  /// - Throws: `TuningError` where it does not fit what is in place.
  func activate(_ name: String?) throws {
    guard let name, let key = entries.first(where: { $0.name == name })?.key else { return session.adapters.disable() }
    if session.adapters.active.map(\.name) != [key] { try session.adapters.activate(key) }
  }

  /// `mine` for `runs/mine` and `adapters/mine.h5`; the whole path where another one is called so.
  private func name(of path: String) -> String {
    let last = ((path as NSString).lastPathComponent as NSString)
    let name = last.pathExtension == "h5" ? last.deletingPathExtension : last as String
    return name.isEmpty || names.contains(name) ? path : name
  }
}
