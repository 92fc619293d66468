import GraftJSON

/// A `key.path=value` argument of the command line.
public struct ConfigOverride: Sendable {
  /// The keys that lead to the value.
  public var path: [String]
  /// The value to set.
  public var value: ConfigTree

  /// A setting that an argument of the command line makes, which errors name.
  public init(_ path: String, _ value: ConfigTree, said argument: String) {
    self.path = path.split(separator: ".").map(String.init)
    self.value = value
    self.value.place(at: ConfigLocation(file: argument, line: 0, column: 0))
  }

  /// Parses `text`; `parseValue` reads what stands behind the `=` (plain scalars only, when it is not given).
  public init(
    parsing text: String,
    parseValue: (String) throws -> ConfigTree = { .scalar(ScalarValue(plain: $0)) }
  ) throws {
    guard let equals = text.firstIndex(of: "="), equals > text.startIndex else {
      throw ConfigError(
        location: nil, path: [], problem: "'\(text)' is no override",
        advice: "write key.path=value, as in training.batch_size=4")
    }
    path = text[..<equals].split(separator: ".", omittingEmptySubsequences: false).map(String.init)
    guard !path.contains("") else {
      throw ConfigError(
        location: nil, path: [], problem: "'\(text)' has an empty key",
        advice: "write key.path=value, as in training.batch_size=4")
    }
    value = try parseValue(String(text[text.index(after: equals)...]))
    value.place(at: ConfigLocation(file: text, line: 0, column: 0))
  }
}

extension ConfigTree {
  /// Sets the value at the override's path, making the sections on the way; numbers in the path index lists.
  public mutating func apply(_ override: ConfigOverride) throws(ConfigError) {
    try set(override.value, at: override.path[...], whole: override)
  }

  private mutating func set(_ newValue: ConfigTree, at path: ArraySlice<String>, whole: ConfigOverride)
    throws(ConfigError)
  {
    guard let key = path.first else {
      self = newValue
      return
    }
    switch value {
    case .mapping(var mapping):
      var child = mapping[key] ?? .null
      try child.set(newValue, at: path.dropFirst(), whole: whole)
      mapping.set(key, to: child, keyLocation: newValue.location)
      value = .mapping(mapping)
    case .sequence(var elements):
      guard let index = Int(key), elements.indices.contains(index) else {
        throw ConfigError(
          location: newValue.location, path: whole.path, problem: "the list has no element '\(key)'",
          advice: "count from 0 to \(elements.count - 1)")
      }
      try elements[index].set(newValue, at: path.dropFirst(), whole: whole)
      value = .sequence(elements)
    case .scalar(.null):
      value = .mapping(ConfigMapping())
      try set(newValue, at: path, whole: whole)
    case .scalar:
      throw ConfigError(
        location: newValue.location, path: whole.path, problem: "there is no '\(key)' in \(kindDescription)",
        advice: "set the whole value instead")
    }
  }

  fileprivate mutating func place(at location: ConfigLocation) {
    self.location = location
    switch value {
    case .scalar: break
    case .sequence(var elements):
      for index in elements.indices { elements[index].place(at: location) }
      value = .sequence(elements)
    case .mapping(var mapping):
      for entry in mapping.entries {
        var child = entry.value
        child.place(at: location)
        mapping.set(entry.key, to: child, keyLocation: location)
      }
      value = .mapping(mapping)
    }
  }
}
