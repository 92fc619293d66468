import Foundation
import GraftConfiguration

/// The recipes that come with the program, in a checkout's `Recipes/` or below `share/graft` of an installation.
public struct ShippedRecipes {
  /// The folder that holds `Recipes/` and `Data/`.
  public let root: URL

  /// Finds the recipes that belong to a program: beside its `bin`, or in the checkout that it was built in.
  /// - Parameter program: the path of the program's file.
  /// - Throws: `ConfigError` where there are none.
  public init(of program: URL) throws {
    let folder = program.resolvingSymlinksInPath().deletingLastPathComponent()
    let above = sequence(first: folder) { $0.path == "/" ? nil : $0.deletingLastPathComponent() }.prefix(6)
    let candidates = [folder.deletingLastPathComponent().appending(path: "share/graft")] + above
    guard let root = candidates.first(where: { FileManager.default.fileExists(atPath: $0.appending(path: "Recipes/quickstart.yaml").path) }) else {
      throw ConfigError(
        location: nil, path: [], problem: "\(program.path): no recipes are beside the program",
        advice: "install it with make install, or unpack the whole archive", kind: .noSuchFile)
    }
    self.root = root
  }

  private var folder: URL { root.appending(path: "Recipes") }

  /// The names of the recipes, without `.yaml`.
  public var names: [String] {
    get throws {
      try FileManager.default.contentsOfDirectory(atPath: folder.path).filter { $0.hasSuffix(".yaml") }.map { String($0.dropLast(5)) }.sorted()
    }
  }

  /// Returns the text of a recipe.
  /// - Throws: `ConfigError` for a name that there is not, with the nearest.
  public func text(of name: String) throws -> String {
    let names = try names
    let plain = name.hasSuffix(".yaml") ? String(name.dropLast(5)) : name
    guard names.contains(plain) else {
      throw ConfigError(location: nil, path: [name], problem: "no shipped recipe", advice: NearestName.advice(for: plain, among: names))
    }
    return try String(contentsOf: folder.appending(path: plain + ".yaml"), encoding: .utf8)
  }

  /// Returns the first sentence of a recipe's own comment.
  public func summary(of name: String) throws -> String {
    let lines = try text(of: name).split(separator: "\n").prefix { $0.hasPrefix("# ") }.map { $0.dropFirst(2) }
    return lines.first { !$0.hasPrefix("yaml-language-server") }.map(String.init) ?? ""
  }

  /// Returns the text of a recipe for a file elsewhere: what it names of the shipped files has its whole path.
  public func copied(_ name: String) throws -> String {
    let text = try text(of: name).replacing("$schema=recipe.schema.json", with: "$schema=\(folder.path)/recipe.schema.json")
    let place = #/(^|[\s\[{,:"'])(Data|Recipes)\//#.anchorsMatchLineEndings()
    return text.replacing(place) { "\($0.output.1)\(root.path)/\($0.output.2)/" }
  }
}
