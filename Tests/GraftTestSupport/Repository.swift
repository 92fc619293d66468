import Foundation
import GraftJSON

/// The files of the repository that tests read.
public enum Repository {
  public static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

  /// Returns a file or folder by its path from the root.
  public static func file(_ path: String) -> URL { root.appending(path: path) }

  /// Returns the text of a file.
  public static func text(_ path: String) throws -> String { try String(contentsOf: file(path), encoding: .utf8) }

  /// Returns the names in a folder that end so, sorted.
  public static func names(in folder: String, endingWith end: String) -> [String] {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: file(folder).path)) ?? []
    return names.filter { $0.hasSuffix(end) }.sorted()
  }
}

/// The fixtures of a test target: files that a script in `Scripts/` or another program wrote.
public struct Fixtures: Sendable {
  public let folder: URL

  /// - Parameter target: a test target's name.
  public init(_ target: String) { folder = Repository.file("Tests/\(target)/Fixtures") }

  public func file(_ name: String) -> URL { folder.appending(path: name) }
  public func path(_ name: String) -> String { file(name).path }
  public func data(_ name: String) throws -> Data { try Data(contentsOf: file(name)) }
  public func text(_ name: String) throws -> String { try String(contentsOf: file(name), encoding: .utf8) }
  public func json(_ name: String) throws -> JSON { try JSON(parsing: data(name)) }
}
