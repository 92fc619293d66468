import GraftConfiguration

/// A key of a recipe: its type, its default and its meaning. Help, the page of reference and the schema are made of these.
public struct RecipeKey: Sendable {
  /// The key behind its sections, such as `training.learning_rate`.
  public let path: String
  /// The type of its values.
  public let type: ValueType
  /// A sentence, in Markdown.
  public let meaning: String

  /// True where `null` may stand for the value.
  public var allowsNull: Bool { isOptional || defaultValue.isNull }
  private let isOptional: Bool

  /// - Parameter isOptional: true where `null` may stand for the value, though the default is another.
  init(_ path: String, _ type: ValueType, _ meaning: String, isOptional: Bool = false) {
    (self.path, self.type, self.meaning, self.isOptional) = (path, type, meaning, isOptional)
  }

  /// The types that values have in YAML.
  public indirect enum ValueType: Sendable, Equatable {
    /// A text, a whole number, a number, or a truth value.
    case text, whole, number, boolean
    /// One of a few names.
    case choice([String])
    /// A list of values of one type.
    case list(ValueType)
    /// Names of the user's with values of one type.
    case mapping(ValueType)
    /// A file, or a list of files each of which may have a weight.
    case files
    /// Keys that are not the recipe's own.
    case section

    static func choice<Choice: ConfigChoice>(of type: Choice.Type) -> ValueType { .choice(type.allCases.map(\.rawValue)) }
  }

  /// The default; null for a key without one.
  public var defaultValue: ConfigTree {
    let defaults = try? ConfigTree(encoding: Recipe())
    return path.split(separator: ".").reduce(defaults) { $0?[String($1)] } ?? .null
  }

  /// The default as it is written in YAML.
  public var defaultText: String {
    let line = ConfigTree.mapping(ConfigMapping([("key", defaultValue)])).rendered()
    return line.split(separator: "\n").map { $0.drop { $0 == " " } }.joined(separator: ", ").replacing("key: ", with: "", maxReplacements: 1)
      .replacing("key:, ", with: "")
  }

  /// Lines that explain the key.
  var help: String {
    """
    \(path)
      \(meaning.replacing("`", with: ""))
      Type: \(type.description)
      Default: \(defaultText)
    """
  }
}

extension RecipeKey.ValueType: CustomStringConvertible {
  public var description: String {
    switch self {
    case .text: "text"
    case .whole: "whole number"
    case .number: "number"
    case .boolean: "true or false"
    case .choice(let names): names.joined(separator: ", ")
    case .list(let element): "list of \(element.plural)"
    case .mapping(let value): "names with \(value.plural)"
    case .files: "path, or list of paths or {path, weight}"
    case .section: "section"
    }
  }

  private var plural: String {
    switch self {
    case .text: "texts"
    case .whole: "whole numbers"
    case .number: "numbers"
    default: "values (\(description))"
    }
  }
}
