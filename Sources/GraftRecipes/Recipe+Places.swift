import GraftConfiguration
import GraftErrors

/// An error of a value that was found wrong after its recipe was read, with the value's place.
struct PlacedError: UserError {
  let description: String
  let status: ErrorStatus
}

extension Recipe {
  /// The tree that a recipe was decoded from.
  struct SourceTree: Sendable, Equatable {
    var tree: ConfigTree

    /// Recipes are not told apart by the places of their values.
    static func == (a: SourceTree, b: SourceTree) -> Bool { true }
  }

  /// Returns an error that begins with the key of a value, as in `r: is 0`, with the file and line where the value stands.
  ///
  /// - Returns: the error itself where it names no key, or one that the recipe leaves to its default.
  public func placed(_ error: any Error) -> any Error {
    guard let error = error as? any UserError, !(error is ConfigError), let source else { return error }
    guard let name = error.description.prefixMatch(of: #/([a-z][a-z0-9_.]*): /#)?.output.1 else { return error }
    let keys = name.split(separator: ".").map(String.init)
    // Methods name their keys without the section, whose names no section has.
    for path in [keys, ["method"] + keys] where source.tree.holds(path) {
      guard let location = source.tree.location(at: path) else { return error }
      let place = location.line > 0 ? "\(location.file):\(location.line)" : location.file
      return PlacedError(
        description: "\(place): \(path.joined(separator: ".")): \(error.description.dropFirst(name.count + 2))", status: error.status)
    }
    return error
  }
}

extension ConfigTree {
  /// True where the tree gives the value at a path.
  fileprivate func holds(_ path: [String]) -> Bool {
    var node = self
    for key in path {
      guard let next = node[key] else { return false }
      node = next
    }
    return true
  }
}
