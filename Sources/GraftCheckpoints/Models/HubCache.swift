import Foundation
import GraftFiles

/// The models that Hugging Face's tools have downloaded to this machine, in the folders of huggingface_hub:
/// `models--OWNER--NAME/snapshots/REVISION`, with the revision of a branch in `refs/main`.
public struct HubCache: Sendable {
  /// The path of the cache.
  public let folder: String

  /// The cache that the environment names: `HF_HUB_CACHE`, `hub` in `HF_HOME`, or in `huggingface` of `XDG_CACHE_HOME` or of `~/.cache`.
  public init(environment: [String: String] = ProcessInfo.processInfo.environment) {
    let home = environment["HOME"] ?? FileManager.default.homeDirectoryForCurrentUser.path
    func given(_ name: String) -> String? {
      guard let path = environment[name], !path.isEmpty else { return nil }
      return path == "~" || path.hasPrefix("~/") ? home + path.dropFirst() : path
    }
    let root = given("HF_HOME") ?? (given("XDG_CACHE_HOME") ?? home + "/.cache") + "/huggingface"
    folder = given("HF_HUB_CACHE") ?? given("HUGGINGFACE_HUB_CACHE") ?? root + "/hub"
  }

  /// The names of the models in the cache that can be read, sorted.
  public var models: [String] {
    let entries = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
    return entries.filter { $0.hasPrefix(Self.prefix) }.map { String($0.dropFirst(Self.prefix.count)).replacing("--", with: "/") }
      .filter { snapshot(of: $0) != nil }.sorted()
  }

  /// The directory of a model's files: the revision that its main branch had, or else the only one there is; nil where the cache has none with a
  /// configuration.
  public func snapshot(of model: String) -> String? {
    guard Self.isName(model) else { return nil }
    let repository = "\(folder)/\(Self.prefix)\(model.replacing("/", with: "--"))"
    let revisions = ((try? FileManager.default.contentsOfDirectory(atPath: "\(repository)/snapshots")) ?? []).sorted()
    let main = (try? TextFile.text(of: "\(repository)/refs/main")).map { $0.trimmingCharacters(in: .whitespacesAndNewlines) }
    guard let revision = main.flatMap({ revisions.contains($0) ? $0 : nil }) ?? (revisions.count == 1 ? revisions[0] : nil) else { return nil }
    let snapshot = "\(repository)/snapshots/\(revision)"
    return FileKind(of: "\(snapshot)/config.json") == .file ? snapshot : nil
  }

  /// Returns the directory that a model's name stands for: the path itself where something is there, or the hub has no such name; else the
  /// snapshot in the cache.
  ///
  /// - Throws: `CheckpointError` of kind `missing` for a name of the hub that is not in the cache, with the command that downloads it.
  public func directory(of model: String) throws(CheckpointError) -> String {
    guard FileKind(of: model) == .nothing, Self.isName(model) else { return model }
    if let snapshot = snapshot(of: model) { return snapshot }
    // A bare word, or a folder of ours with a folder in it, is more likely a path that is wrong.
    guard model.contains("/"), FileKind(of: model.parentDirectory) == .nothing else { return model }
    let others = models
    let known = others.isEmpty ? "" : "; it has \(others.prefix(5).joined(separator: ", "))\(others.count > 5 ? " and \(others.count - 5) more" : "")"
    throw CheckpointError(
      .missing, model, "no such directory, and the hub's cache \(folder) has no such model\(known)", remedy: "download it with: hf download \(model)")
  }

  /// The remark on a name that stands for a snapshot.
  package static func note(on model: String, in snapshot: String) -> String { "\(model) is taken from the hub's cache: \(snapshot)" }

  private static let prefix = "models--"

  /// True for a name as the hub has them: an owner and a model, or one of the old models without owner.
  private static func isName(_ text: String) -> Bool {
    text.utf8.count <= 96 && text.wholeMatch(of: /[A-Za-z0-9][A-Za-z0-9._-]*(\/[A-Za-z0-9][A-Za-z0-9._-]*)?/) != nil
      && !text.contains("--") && !text.contains("..")
  }
}
