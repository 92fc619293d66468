import GraftConfiguration
import GraftJSON
import Yams

/// Reads YAML into a `ConfigTree` that remembers lines.
public enum YAMLReader {
  /// The most values a document may have, so that aliases of aliases end in an error instead of in all memory.
  private static let maximumNodeCount = 100_000

  /// Parses one document; an empty one is an empty section.
  ///
  /// - Parameter file: The name that errors use.
  public static func tree(parsing text: String, file: String) throws -> ConfigTree {
    do {
      let parser = try Parser(yaml: text)
      let document = try parser.nextRoot()
      if let second = try parser.nextRoot() {
        throw ConfigError(
          location: second.mark.map { ConfigLocation(file: file, line: $0.line) }, path: [],
          problem: "a second document begins", advice: "remove the line '---' and what follows it")
      }
      guard let root = document else {
        return ConfigTree(.mapping(ConfigMapping()), location: ConfigLocation(file: file, line: 1))
      }
      var remaining = maximumNodeCount
      return try tree(root, file: file, remaining: &remaining)
    } catch let error as YamlError {
      throw ConfigError(error, file: file)
    }
  }

  /// Parses the value of a command-line override.
  public static func value(parsing text: String) throws -> ConfigTree {
    text.isEmpty ? .scalar(.string("")) : try tree(parsing: text, file: text)
  }

  private static func tree(_ node: Node, file: String, remaining: inout Int) throws -> ConfigTree {
    let location = node.mark.map { ConfigLocation(file: file, line: $0.line, column: $0.column) }
    remaining -= 1
    guard remaining > 0 else {
      throw ConfigError(
        location: location, path: [], problem: "more than \(maximumNodeCount) values", advice: "use fewer aliases")
    }
    switch node {
    case .scalar(let scalar):
      return ConfigTree(
        .scalar(
          scalar.style == .plain || scalar.style == .any ? ScalarValue(plain: scalar.string) : .string(scalar.string)),
        location: location)
    case .sequence(let elements):
      return ConfigTree(
        .sequence(try elements.map { try tree($0, file: file, remaining: &remaining) }), location: location)
    case .mapping(let members):
      var mapping = ConfigMapping()
      for (key, value) in members {
        let keyLocation = key.mark.map { ConfigLocation(file: file, line: $0.line, column: $0.column) }
        guard let name = key.scalar?.string else {
          throw ConfigError(location: keyLocation, path: [], problem: "a key is not text", advice: "write key: value")
        }
        mapping.set(name, to: try tree(value, file: file, remaining: &remaining), keyLocation: keyLocation)
      }
      return ConfigTree(.mapping(mapping), location: location)
    case .alias:
      throw ConfigError(
        location: location, path: [], problem: "an alias without its anchor", advice: "write the value out")
    }
  }
}

extension ConfigError {
  fileprivate init(_ error: YamlError, file: String) {
    let advice = "check indentation, quotes and brackets there"
    switch error {
    case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
      .composer(_, let problem, let mark, _):
      self.init(
        location: ConfigLocation(file: file, line: mark.line, column: mark.column), path: [],
        problem: "not YAML: \(problem.trimmingDots)", advice: advice)
    case .duplicatedKeysInMapping(let duplicates, let context):
      self.init(
        location: ConfigLocation(file: file, line: context.mark.line), path: [],
        problem: "the key '\(duplicates.first ?? "")' stands twice in this section", advice: "remove one of them")
    default:
      self.init(location: ConfigLocation(file: file, line: 0), path: [], problem: "not YAML: \(error)", advice: advice)
    }
  }
}

extension String {
  fileprivate var trimmingDots: String { hasSuffix(".") ? String(dropLast()) : self }
}
