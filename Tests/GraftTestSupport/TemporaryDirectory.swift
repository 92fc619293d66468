import Foundation

/// A directory that goes with the object.
public final class TemporaryDirectory: Sendable {
  public let url: URL
  public var path: String { url.path }

  public init() throws {
    url = FileManager.default.temporaryDirectory.appending(path: "graft-tests-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
  }

  /// A copy of a directory.
  public init(copying original: URL) throws {
    url = FileManager.default.temporaryDirectory.appending(path: "graft-tests-\(UUID().uuidString)")
    try FileManager.default.copyItem(at: original, to: url)
  }

  deinit { try? FileManager.default.removeItem(at: url) }

  /// Returns the path of a name in it.
  public func file(_ name: String) -> String { url.appending(path: name).path }

  /// Writes a file, in folders that are made where they lack.
  /// - Returns: its path.
  @discardableResult
  public func write(_ bytes: some Sequence<UInt8>, to name: String) throws -> String {
    let file = url.appending(path: name)
    try FileManager.default.createDirectory(at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
    try Data(bytes).write(to: file)
    return file.path
  }

  /// The names in it, sorted.
  public var entries: [String] { ((try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []).sorted() }
}
