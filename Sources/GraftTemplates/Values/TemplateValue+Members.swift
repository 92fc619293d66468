extension TemplateValue {
  /// `value.name`: the attribute if there is one, otherwise the item.
  func attribute(_ name: String) throws -> TemplateValue {
    if let found = try ownAttribute(name) { return found }
    if let found = try ownItem(.string(name)) { return found }
    return missing(.string(name))
  }

  /// `value[key]`: the item if there is one, otherwise the attribute.
  func item(_ key: TemplateValue) throws -> TemplateValue {
    if let found = try ownItem(key) { return found }
    if let name = key.text, let found = try ownAttribute(name) { return found }
    return missing(key)
  }

  private func missing(_ key: TemplateValue) -> TemplateValue {
    let typeName = typeName
    return .undefined(
      TemplateUndefined(
        key.text.map { "'\(typeName) object' has no attribute '\($0)'" }
          ?? "\(typeName) object has no element \(key.representation)"))
  }

  private func ownItem(_ key: TemplateValue) throws -> TemplateValue? {
    switch self {
    case .undefined(let reason): throw reason.failure
    case .dictionary(let dictionary):
      if case .list = key { return nil }
      if case .dictionary = key { return nil }
      return dictionary[key]
    case .list(let items), .tuple(let items): return Self.index(key, in: items.count).map { items[$0] }
    case .range(let range): return Self.index(key, in: range.count).map { range[$0] }
    case .string(let text), .markup(let text):
      guard key.wholeNumber != nil else { return nil }
      let scalars = text.unicodeScalars
      guard let position = Self.index(key, in: scalars.count) else { return nil }
      return like(String(scalars[scalars.index(scalars.startIndex, offsetBy: position)]))
    default: return nil
    }
  }

  private static func index(_ key: TemplateValue, in count: Int) -> Int? {
    guard let index = key.wholeNumber else { return nil }
    let position = index < 0 ? index + count : index
    return (0..<count).contains(position) ? position : nil
  }

  private func ownAttribute(_ name: String) throws -> TemplateValue? {
    if case .undefined(let reason) = self { throw reason.failure }
    if name.hasPrefix("__"), name.hasSuffix("__") { return isOwnKey(name) ? nil : unsafe(name) }
    switch self {
    case .dictionary(let dictionary): return dictionaryMethod(name, dictionary)
    case .list(let items): return sequenceMethod(name, items) ?? (Self.listMutators.contains(name) ? unsafe(name) : nil)
    case .tuple(let items):
      // What `groupby` makes are pairs whose parts have names.
      if items.count == 2, case .list = items[1] {
        if name == "grouper" { return items[0] }
        if name == "list" { return items[1] }
      }
      return sequenceMethod(name, items)
    case .string(let text), .markup(let text):
      guard TemplateStringMethods.names.contains(name) else { return nil }
      let value = self
      return .function(TemplateFunction(name) { try TemplateStringMethods.call(name, on: value, text, $0) })
    case .range(let range):
      switch name {
      case "start": return .integer(range.start)
      case "stop": return .integer(range.stop)
      case "step": return .integer(range.step)
      default: return sequenceMethod(name, range.items)
      }
    case .namespace(let namespace): return namespace.attributes[name]
    case .loop(let loop): return try loop.attribute(name)
    case .function(let function): return function.attributes[name]
    case .integer, .bool:
      switch name {
      case "real", "numerator": return .integer(wholeNumber ?? 0)
      case "imag": return .integer(0)
      case "denominator": return .integer(1)
      default: return nil
      }
    case .double(let value):
      switch name {
      case "real": return self
      case "imag": return .double(0)
      case "is_integer": return .function(TemplateFunction(name) { _ in .bool(value == value.rounded()) })
      default: return nil
      }
    default: return nil
    }
  }

  private func isOwnKey(_ name: String) -> Bool {
    if case .dictionary(let dictionary) = self { return dictionary[name] != nil }
    return false
  }

  private func unsafe(_ name: String) -> TemplateValue {
    let typeName = typeName
    return .undefined(
      TemplateUndefined("access to attribute '\(name)' of '\(typeName)' object is unsafe.", kind: .security))
  }

  private static let listMutators: Set<String> = [
    "append", "clear", "pop", "reverse", "insert", "sort", "extend", "remove",
  ]
  private static let dictionaryMutators: Set<String> = ["clear", "pop", "popitem", "setdefault", "update"]

  private func dictionaryMethod(_ name: String, _ dictionary: TemplateDictionary) -> TemplateValue? {
    func view(_ kind: TemplateDictionary.View.Kind) -> TemplateValue {
      .function(
        TemplateFunction(name, owner: self) { arguments in
          _ = try arguments.bindPositional(name, 0...0)
          return .view(TemplateDictionary.View(kind: kind, dictionary: dictionary))
        })
    }
    switch name {
    case "keys": return view(.keys)
    case "values": return view(.values)
    case "items": return view(.items)
    case "get":
      return .function(
        TemplateFunction(name, owner: self) { arguments in
          let given = try arguments.bindPositional(name, 1...2)
          let key = given[0] ?? .none
          try key.checkHashable()
          return dictionary[key] ?? given[1] ?? .none
        })
    case "copy": return .function(TemplateFunction(name, owner: self) { _ in self })
    default: return Self.dictionaryMutators.contains(name) ? unsafe(name) : nil
    }
  }

  private func sequenceMethod(_ name: String, _ items: [TemplateValue]) -> TemplateValue? {
    switch name {
    case "count":
      return .function(
        TemplateFunction(name, owner: self) { arguments in
          let item = try arguments.bindPositional(name, 1...1)[0] ?? .none
          return .integer(items.count { $0.equals(item) })
        })
    case "index":
      let typeName = typeName
      return .function(
        TemplateFunction(name, owner: self) { arguments in
          let given = try arguments.bindPositional(name, 1...3)
          let item = given[0] ?? .none
          func bound(_ value: TemplateValue?, default initial: Int) throws -> Int {
            let bound = try value.integer(default: initial, for: name)
            return max(0, min(items.count, bound < 0 ? bound + items.count : bound))
          }
          let start = try bound(given[1], default: 0)
          let end = try bound(given[2], default: items.count)
          guard start < end, let found = items[start..<end].firstIndex(where: { $0.equals(item) }) else {
            throw TemplateFailure(.value, "\(item.representation) is not in \(typeName)")
          }
          return .integer(found)
        })
    case "copy":
      guard case .list = self else { return nil }
      return .function(TemplateFunction(name, owner: self) { _ in self })
    default: return nil
    }
  }
}
