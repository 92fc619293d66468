/// Python's dictionary: in order of insertion, with any hashable key.
struct TemplateDictionary {
  private(set) var entries: [(key: TemplateValue, value: TemplateValue)] = []
  /// Positions by key, kept only where a search through the entries would be slow.
  private var positions: [TemplateKey: Int]?
  /// The number of the message that this is, where it is one.
  var messageIndex: Int?

  private static let indexedCount = 8

  init() {}

  init(_ entries: some Sequence<(TemplateValue, TemplateValue)>) {
    for (key, value) in entries { set(key, to: value) }
  }

  var keys: [TemplateValue] { entries.map(\.key) }

  subscript(key: TemplateValue) -> TemplateValue? {
    position(of: key).map { entries[$0].value }
  }

  subscript(name: String) -> TemplateValue? { self[.string(name)] }

  mutating func set(_ key: TemplateValue, to value: TemplateValue) {
    if let position = position(of: key) {
      entries[position].value = value
      return
    }
    entries.append((key, value))
    if positions != nil {
      positions?[TemplateKey(key)] = entries.count - 1
    } else if entries.count > Self.indexedCount {
      positions = Dictionary(uniqueKeysWithValues: entries.enumerated().map { (TemplateKey($1.key), $0) })
    }
  }

  private func position(of key: TemplateValue) -> Int? {
    if let positions { return positions[TemplateKey(key)] }
    return entries.firstIndex { $0.key.equals(key) }
  }

  /// The value of `keys()`, `values()` or `items()`.
  struct View {
    enum Kind: String {
      case keys = "dict_keys", values = "dict_values", items = "dict_items"
    }

    var kind: Kind
    var dictionary: TemplateDictionary

    var items: [TemplateValue] {
      switch kind {
      case .keys: dictionary.keys
      case .values: dictionary.entries.map(\.value)
      case .items: dictionary.entries.map { .tuple([$0.key, $0.value]) }
      }
    }
  }
}

/// A value as a key: numbers that are equal are the same key, and strings are compared by scalars.
struct TemplateKey: Hashable {
  let value: TemplateValue

  init(_ value: TemplateValue) { self.value = value }

  static func == (left: TemplateKey, right: TemplateKey) -> Bool { left.value.equals(right.value) }

  func hash(into hasher: inout Hasher) {
    switch value {
    case .bool(let value): hasher.combine(value ? 1.0 : 0.0)
    case .integer(let value): hasher.combine(Double(value))
    case .double(let value): hasher.combine(value)
    case .string(let text), .markup(let text): for byte in text.utf8 { hasher.combine(byte) }
    case .tuple(let items): for item in items { TemplateKey(item).hash(into: &hasher) }
    default: hasher.combine(value.typeName)
    }
  }
}

extension TemplateValue {
  /// Refuses what Python cannot hash.
  func checkHashable() throws {
    switch self {
    case .list, .dictionary: throw TemplateFailure(.value, "unhashable type: '\(typeName)'")
    case .tuple(let items): for item in items { try item.checkHashable() }
    default: break
    }
  }
}
