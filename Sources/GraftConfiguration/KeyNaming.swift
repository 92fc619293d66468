/// A type with keys that are spelled otherwise in files than the names of its properties say.
///
/// A key is a property's name in snake case (`loraAlpha` is `lora_alpha`) unless it is listed here.
public protocol SpelledKeys {
  /// The spellings in files by the names of properties.
  static var keySpellings: [String: String] { get }
}

/// Keys that stand in the section of the value that holds them, not in a section of their own.
///
/// Several types share such keys by having a property of the type.
public protocol InlinedKeys: Codable {}

/// The names that the keys of one type have in files.
struct KeyNaming {
  private let spellings: [String: String]
  private let isVerbatim: Bool

  init(_ type: Any.Type) {
    spellings = (type as? any SpelledKeys.Type)?.keySpellings ?? [:]
    isVerbatim = type is any UserKeyed.Type
  }

  /// The name of a key in files.
  func name(of key: some CodingKey) -> String {
    let name = key.stringValue
    return isVerbatim ? name : spellings[name] ?? Self.snakeCase(name)
  }

  /// The key that a name in a file stands for; nil where the type has none of that name.
  func key<Key: CodingKey>(named name: String) -> Key? {
    guard !isVerbatim else { return Key(stringValue: name) }
    let property = spellings.first { $0.value == name }?.key
    return Key(stringValue: property ?? Self.camelCase(name)) ?? Key(stringValue: name)
  }

  /// `loraAlpha` as `lora_alpha`; names without capitals stay as they are.
  static func snakeCase(_ name: String) -> String {
    guard name.contains(where: \.isUppercase) else { return name }
    return name.reduce(into: "") { result, character in
      if character.isUppercase, !result.isEmpty { result += "_" }
      result += character.lowercased()
    }
  }

  /// `lora_alpha` as `loraAlpha`.
  static func camelCase(_ name: String) -> String {
    let words = name.split(separator: "_")
    return words.dropFirst().reduce(words.first.map(String.init) ?? "") { $0 + $1.prefix(1).uppercased() + $1.dropFirst() }
  }
}

/// A dictionary, whose keys are its user's own.
private protocol UserKeyed {}

extension Dictionary: UserKeyed where Key == String {}
