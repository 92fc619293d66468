/// Jinja's filters, by name.
enum TemplateFilters {
  typealias Filter = @Sendable (TemplateValue, TemplateArguments) throws -> TemplateValue

  static let all: [String: Filter] = [text, numbers, collections, selections].reduce(into: [:]) { all, part in
    all.merge(part) { first, _ in first }
    for name in parameterless {
      guard let filter = part[name] else { continue }
      all[name] = { value, arguments in
        _ = try arguments.bind(name, [])
        return try filter(value, arguments)
      }
    }
  }

  private static let parameterless = [
    "upper", "lower", "capitalize", "title", "string", "safe", "escape", "e", "forceescape", "wordcount", "striptags",
    "abs", "length", "count", "list", "first", "last", "reverse", "items",
  ]

  /// Follows a dotted path such as `function.name` or `items.0`.
  static func attribute(_ path: TemplateValue, of value: TemplateValue, default fallback: TemplateValue? = nil) throws
    -> TemplateValue
  {
    var value = value
    let parts: [TemplateValue]
    if let text = path.text {
      parts = try PythonText.split(text, ".").map { part in
        part.allSatisfy(\.isASCII) ? Int(part).map(TemplateValue.integer) ?? .string(part) : .string(part)
      }
    } else {
      parts = [path]
    }
    for part in parts {
      value = try value.item(part)
      if value.isUndefined, let fallback { value = fallback }
    }
    return value
  }

  /// The key that items are ordered by: an attribute where one is named, without regard to case unless asked.
  static func key(
    of item: TemplateValue, _ path: TemplateValue?, caseSensitive: Bool, default fallback: TemplateValue? = nil
  ) throws -> TemplateValue {
    var key = item
    if let path = path.unlessNone { key = try attribute(path, of: item, default: fallback) }
    guard !caseSensitive, let text = key.text else { return key }
    return .string(PythonText.lowercased(text))
  }
}
