extension TemplateFilters {
  static let collections: [String: Filter] = [
    "length": { value, _ in .integer(try value.requiredCount()) },
    "count": { value, _ in .integer(try value.requiredCount()) },
    "default": { try fallback($0, $1) },
    "d": { try fallback($0, $1) },
    "list": { value, _ in .list(try value.items()) },
    "first": { value, _ in
      if case .iterator(let iterator) = value {
        return try iterator.next() ?? .undefined("No first item, sequence was empty.")
      }
      return try value.items().first ?? .undefined("No first item, sequence was empty.")
    },
    "last": { value, _ in
      if case .iterator = value {
        throw TemplateFailure(.value, "'\(value.typeName)' object is not reversible")
      }
      return try value.items().last ?? .undefined("No last item, sequence was empty.")
    },
    "join": { value, arguments in
      let given = try arguments.bind("join", ["d", "attribute"])
      var items = try value.items()
      if let path = given[1].unlessNone { items = try items.map { try attribute(path, of: $0) } }
      let texts = items.map(\.description)
      let separator = given[0]?.description ?? ""
      try TemplateLimits.check(joining: texts, with: separator)
      return .string(texts.joined(separator: separator))
    },
    "reverse": { value, _ in
      if let text = value.text { return value.like(PythonText.reversed(text)) }
      let items = Array(try value.items().reversed())
      switch value {
      case .list: return .iterator(TemplateIterator("list_reverseiterator", over: items).uncounted)
      case .iterator: return .list(items)
      default: return .iterator(TemplateIterator("reversed", over: items).uncounted)
      }
    },
    "sort": { value, arguments in
      let given = try arguments.bind("sort", ["reverse", "case_sensitive", "attribute"])
      let items = try value.items()
      let keys = try items.map { try sortKey(of: $0, given[2], caseSensitive: given[1].flag(default: false)) }
      return .list(try TemplateValue.sorted(items, keys: keys, descending: given[0].flag(default: false)))
    },
    "unique": { value, arguments in
      let given = try arguments.bind("unique", ["case_sensitive", "attribute"])
      let source = try value.makeIterator()
      var seen: Set<TemplateKey> = []
      return .iterator(
        TemplateIterator("generator", source: value) {
          while let item = try source.next() {
            let key = try key(of: item, given[1], caseSensitive: given[0].flag(default: false))
            try key.checkHashable()
            if seen.insert(TemplateKey(key)).inserted { return item }
          }
          return nil
        })
    },
    "min": { try extreme("min", $0, $1) { try $0.isLess(than: $1) } },
    "max": { try extreme("max", $0, $1) { try $1.isLess(than: $0, symbol: ">") } },
    "items": { value, _ in
      switch value {
      case .undefined: return .iterator(TemplateIterator("generator", over: []).uncounted)
      case .dictionary(let dictionary):
        let items = TemplateDictionary.View(kind: .items, dictionary: dictionary).items
        return .iterator(TemplateIterator("generator", over: items).uncounted)
      default: throw TemplateFailure(.value, "Can only get item pairs from a mapping.")
      }
    },
    "dictsort": { value, arguments in
      let given = try arguments.bind("dictsort", ["case_sensitive", "by", "reverse"])
      guard case .dictionary(let dictionary) = value else {
        if case .undefined(let reason) = value { throw reason.failure }
        throw TemplateFailure(.value, "'\(value.typeName)' object has no attribute 'items'")
      }
      let by = given[1]?.text ?? "key"
      guard by == "key" || by == "value" else {
        throw TemplateFailure(.value, "You can only sort by either \"key\" or \"value\"")
      }
      let keys = try dictionary.entries.map {
        try key(of: by == "key" ? $0.key : $0.value, nil, caseSensitive: given[0].flag(default: false))
      }
      let pairs = dictionary.entries.map { TemplateValue.tuple([$0.key, $0.value]) }
      return .list(try TemplateValue.sorted(pairs, keys: keys, descending: given[2].flag(default: false)))
    },
    "batch": { value, arguments in
      let given = try arguments.bind("batch", ["linecount", "fill_with"], required: 1)
      let size = try given[0].integer(default: 1, for: "batch")
      try TemplateLimits.check(itemCount: size)
      let source = try value.makeIterator()
      return .iterator(
        TemplateIterator("generator", source: value) {
          var batch: [TemplateValue] = []
          while batch.count < max(1, size), let item = try source.next() { batch.append(item) }
          guard !batch.isEmpty else { return nil }
          try TemplateLimits.spend(max(size, batch.count) >> 4)
          if let fill = given[1].unlessNone { batch += Array(repeating: fill, count: max(0, size - batch.count)) }
          return .list(batch)
        })
    },
    "slice": { value, arguments in
      let given = try arguments.bind("slice", ["slices", "fill_with"], required: 1)
      let slices = try given[0].integer(default: 1, for: "slice")
      guard slices != 0 else { throw TemplateFailure(.value, "integer division or modulo by zero") }
      try TemplateLimits.check(itemCount: slices)
      try TemplateLimits.spend(slices)
      return .iterator(TemplateIterator("generator", over: slice(try value.items(), slices, given[1])).uncounted)
    },
    "groupby": { value, arguments in
      let given = try arguments.bind("groupby", ["attribute", "default", "case_sensitive"], required: 1)
      return .list(try groups(try value.items(), given))
    },
  ]

  private static func fallback(_ value: TemplateValue, _ arguments: TemplateArguments) throws -> TemplateValue {
    let given = try arguments.bind("default", ["default_value", "boolean"])
    guard value.isUndefined || given[1].flag(default: false) && !value.isTrue else { return value }
    return given[0] ?? .string("")
  }

  private static func sortKey(
    of item: TemplateValue, _ path: TemplateValue?, caseSensitive: Bool
  ) throws -> TemplateValue {
    // Always a list, so that equal keys are never compared for order, not even undefined ones.
    guard let text = path?.text else { return .list([try key(of: item, path, caseSensitive: caseSensitive)]) }
    return .list(
      try PythonText.split(text, ",").map { try key(of: item, .string($0), caseSensitive: caseSensitive) })
  }

  private static func extreme(
    _ name: String, _ value: TemplateValue, _ arguments: TemplateArguments,
    _ precedes: (TemplateValue, TemplateValue) throws -> Bool
  ) throws -> TemplateValue {
    let given = try arguments.bind(name, ["case_sensitive", "attribute"])
    var best: (item: TemplateValue, key: TemplateValue)?
    for item in try value.items() {
      let key = try key(of: item, given[1], caseSensitive: given[0].flag(default: false))
      if let best { if try !precedes(key, best.key) { continue } }
      best = (item, key)
    }
    return best?.item ?? .undefined("No aggregated item, sequence was empty.")
  }

  private static func slice(_ items: [TemplateValue], _ slices: Int, _ fill: TemplateValue?) -> [TemplateValue] {
    guard slices > 0 else { return [] }
    let (size, extra) = items.count.quotientAndRemainder(dividingBy: slices)
    var start = 0
    return (0..<slices).map { number in
      let end = start + size + (number < extra ? 1 : 0)
      defer { start = end }
      var part = Array(items[start..<end])
      if let fill = fill.unlessNone, number >= extra { part.append(fill) }
      return .list(part)
    }
  }

  private static func groups(_ items: [TemplateValue], _ given: [TemplateValue?]) throws -> [TemplateValue] {
    let isCaseSensitive = given[2].flag(default: false)
    let fallback = given[1].unlessNone
    func key(of item: TemplateValue, caseSensitive: Bool) throws -> TemplateValue {
      try Self.key(of: item, given[0], caseSensitive: caseSensitive, default: fallback)
    }
    let keys = try items.map { try key(of: $0, caseSensitive: isCaseSensitive) }
    var groups: [(key: TemplateValue, items: [TemplateValue])] = []
    for item in try TemplateValue.sorted(items, keys: keys, descending: false) {
      let itemKey = try key(of: item, caseSensitive: isCaseSensitive)
      if let last = groups.last, last.key.equals(itemKey) {
        groups[groups.count - 1].items.append(item)
      } else {
        groups.append((itemKey, [item]))
      }
    }
    return try groups.map { .tuple([try key(of: $0.items[0], caseSensitive: true), .list($0.items)]) }
  }
}

extension TemplateIterator {
  /// The same iterator without a length, as Python's generators are.
  var uncounted: TemplateIterator { TemplateIterator(typeName, source: source) { try self.next() } }
}
