/// The limits of a rendering: templates come with checkpoints and cannot be trusted.
enum TemplateLimits {
  /// Bytes of output, and of any one string.
  static let byteCount = 64 << 20
  static let itemCount = 4 << 20
  /// Evaluated nodes.
  static let stepCount = 10_000_000
  /// Nested evaluations (macros calling macros, nested blocks and expressions).
  static let depth = 400
  /// Lists in lists, and whatever else a value can hold others in.
  static let height = 150

  static func checked(_ text: String) throws -> String {
    try check(byteCount: text.utf8.count)
    return text
  }

  static func check(byteCount count: Int) throws {
    guard count <= byteCount else {
      throw TemplateFailure(.limit, "a text grows beyond \(byteCount >> 20) MiB")
    }
  }

  static func check(byteCount count: (partialValue: Int, overflow: Bool)) throws {
    try check(byteCount: count.overflow ? .max : count.partialValue)
  }

  static func check(itemCount count: Int) throws {
    guard count <= itemCount else { throw TemplateFailure(.limit, "a list grows beyond \(itemCount) items") }
  }

  static func check(itemCount count: (partialValue: Int, overflow: Bool)) throws {
    try check(itemCount: count.overflow ? .max : count.partialValue)
  }
}

extension TemplateValue {
  /// Refuses values that hold others too deep, or themselves. Values grow deep only when a loop assigns them
  /// around what it assigned before, so that checking assignments is enough.
  func checkHeight(within limit: Int = TemplateLimits.height) throws {
    guard limit > 0 else {
      throw TemplateFailure(.limit, "a value nests more than \(TemplateLimits.height) deep or holds itself")
    }
    switch self {
    case .list(let items), .tuple(let items):
      // The same value may stand in many places, so that there is much more to go through than there is in memory.
      try TemplateLimits.spend((items.count + 3) / 4)
      for item in items { try item.checkHeight(within: limit - 1) }
    case .dictionary(let dictionary):
      try TemplateLimits.spend((dictionary.entries.count + 3) / 4)
      for entry in dictionary.entries {
        try entry.key.checkHeight(within: limit - 1)
        try entry.value.checkHeight(within: limit - 1)
      }
    case .view(let view): try TemplateValue.dictionary(view.dictionary).checkHeight(within: limit - 1)
    case .namespace(let namespace): try TemplateValue.dictionary(namespace.attributes).checkHeight(within: limit - 1)
    case .iterator(let iterator): try iterator.source?.checkHeight(within: limit - 1)
    case .loop(let loop): try loop.currentItem?.checkHeight(within: limit - 1)
    case .function(let function): try function.owner?.checkHeight(within: limit - 1)
    default: break
    }
  }
}
