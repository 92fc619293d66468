import GraftJSON

/// The place of a value in a configuration file; lines and columns count from 1.
public struct ConfigLocation: Sendable, Hashable {
  /// The path of the file.
  public var file: String
  /// The line.
  public var line: Int
  /// The column on the line.
  public var column: Int

  /// A place in a file.
  public init(file: String, line: Int, column: Int = 1) {
    self.file = file
    self.line = line
    self.column = column
  }
}

/// A configuration as a document: scalars, sequences and mappings that remember where they were written.
///
/// Two trees are equal when they say the same, wherever and in whatever order of keys they say it.
public struct ConfigTree: Sendable {
  /// The forms that a value has.
  public enum Content: Sendable {
    /// One value.
    case scalar(ScalarValue)
    /// A list of values.
    case sequence([ConfigTree])
    /// A section.
    case mapping(ConfigMapping)
  }

  /// The value.
  public var value: Content
  /// The place at which the value was written; nil for defaults and values made in code.
  public var location: ConfigLocation?
  /// True where the mapping may have any key: it is not checked against, nor merged with, the default's keys.
  package var isOpen = false

  /// - Parameter location: the place at which the value was written.
  public init(_ value: Content, location: ConfigLocation? = nil) {
    self.value = value
    self.location = location
  }

  /// No value.
  public static var null: ConfigTree { ConfigTree(.scalar(.null)) }
  /// Returns one value without a place.
  public static func scalar(_ scalar: ScalarValue) -> ConfigTree { ConfigTree(.scalar(scalar)) }
  /// Returns a list without a place.
  public static func sequence(_ elements: [ConfigTree]) -> ConfigTree { ConfigTree(.sequence(elements)) }
  /// Returns a section without a place.
  public static func mapping(_ mapping: ConfigMapping) -> ConfigTree { ConfigTree(.mapping(mapping)) }
}

extension ConfigTree: ScalarReadable {
  public var scalar: ScalarValue? {
    if case .scalar(let scalar) = value { scalar } else { nil }
  }

  /// The elements of a list; nil for anything else.
  public var sequence: [ConfigTree]? {
    if case .sequence(let elements) = value { elements } else { nil }
  }

  /// The keys of a section; nil for anything else.
  public var mapping: ConfigMapping? {
    if case .mapping(let mapping) = value { mapping } else { nil }
  }

  /// The value of `key`; nil when there is none or this is no mapping. Assigning makes this a mapping.
  public subscript(key: String) -> ConfigTree? {
    get { mapping?[key] }
    set {
      var members = mapping ?? ConfigMapping()
      members[key] = newValue
      value = .mapping(members)
    }
  }

  /// The words of error messages for a value of this kind.
  public var kindDescription: String {
    switch value {
    case .scalar(let scalar): scalar.kindDescription
    case .sequence: "a list"
    case .mapping: "a section"
    }
  }

  /// Returns the place at which the value at `path` was written, or else that of the innermost section around it that has one.
  public func location(at path: some Sequence<String>) -> ConfigLocation? {
    var node = self
    var found = location
    for key in path {
      if let entry = node.mapping?.entry(key) {
        found = entry.value.location ?? entry.keyLocation ?? found
        node = entry.value
      } else if let index = Int(key), let elements = node.sequence, elements.indices.contains(index) {
        node = elements[index]
        found = node.location ?? found
      } else {
        break
      }
    }
    return found
  }
}

extension ConfigTree: Equatable {
  public static func == (left: ConfigTree, right: ConfigTree) -> Bool {
    switch (left.value, right.value) {
    case (.scalar(let a), .scalar(let b)): a == b
    case (.sequence(let a), .sequence(let b)): a == b
    case (.mapping(let a), .mapping(let b)): a == b
    default: false
    }
  }
}

extension ConfigTree: ExpressibleByBooleanLiteral, ExpressibleByIntegerLiteral, ExpressibleByFloatLiteral,
  ExpressibleByStringLiteral, ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral
{
  public init(booleanLiteral value: Bool) { self = .scalar(.bool(value)) }
  public init(integerLiteral value: Int) { self = .scalar(.integer(value)) }
  public init(floatLiteral value: Double) { self = .scalar(.number(value)) }
  public init(stringLiteral value: String) { self = .scalar(.string(value)) }
  public init(arrayLiteral elements: ConfigTree...) { self = .sequence(elements) }
  public init(dictionaryLiteral elements: (String, ConfigTree)...) { self = .mapping(ConfigMapping(elements)) }
}
