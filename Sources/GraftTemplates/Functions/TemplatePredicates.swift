/// Jinja's tests, what follows `is`.
enum TemplatePredicates {
  typealias Predicate = @Sendable (TemplateValue, TemplateArguments) throws -> Bool

  static let all: [String: Predicate] = {
    var all: [String: Predicate] = [
      "defined": { value, _ in !value.isUndefined },
      "undefined": { value, _ in value.isUndefined },
      "none": { value, _ in if case .none = value { true } else { false } },
      "boolean": { value, _ in if case .bool = value { true } else { false } },
      "true": { value, _ in if case .bool(true) = value { true } else { false } },
      "false": { value, _ in if case .bool(false) = value { true } else { false } },
      "integer": { value, _ in if case .integer = value { true } else { false } },
      "float": { value, _ in if case .double = value { true } else { false } },
      "number": { value, _ in value.number != nil },
      "string": { value, _ in value.text != nil },
      "mapping": { value, _ in if case .dictionary = value { true } else { false } },
      "iterable": { value, _ in value.isIterable },
      "sequence": { value, _ in
        switch value {
        case .string, .markup, .list, .tuple, .dictionary, .range, .undefined: true
        default: false
        }
      },
      "callable": { value, _ in
        switch value {
        case .function, .loop, .undefined: true
        default: false
        }
      },
      "escaped": { value, _ in if case .markup = value { true } else { false } },
      "lower": { value, _ in TemplateStringMethods.isLower(value.description) },
      "upper": { value, _ in TemplateStringMethods.isUpper(value.description) },
      "odd": { value, _ in try value.applying(.modulo, .integer(2)).equals(.integer(1)) },
      "even": { value, _ in try value.applying(.modulo, .integer(2)).equals(.integer(0)) },
      "divisibleby": { value, arguments in
        try value.applying(.modulo, try only("divisibleby", "num", arguments)).equals(.integer(0))
      },
      "sameas": { value, arguments in value.isSame(as: try only("sameas", "other", arguments)) },
      "in": { value, arguments in try only("in", "seq", arguments).contains(value) },
      "filter": { value, _ in
        try value.checkHashable()
        return value.text.map { TemplateFilters.all[$0] != nil } ?? false
      },
      "test": { value, _ in
        try value.checkHashable()
        return value.text.map(isKnown) ?? false
      },
    ]
    let comparisons: [(TemplateComparison, [String])] = [
      (.equal, ["==", "eq", "equalto"]), (.notEqual, ["!=", "ne"]),
      (.greater, [">", "gt", "greaterthan"]), (.greaterOrEqual, [">=", "ge"]),
      (.less, ["<", "lt", "lessthan"]), (.lessOrEqual, ["<=", "le"]),
    ]
    for (name, predicate) in all where !["divisibleby", "sameas", "in"].contains(name) {
      all[name] = { value, arguments in
        _ = try arguments.bind(name, [])
        return try predicate(value, arguments)
      }
    }
    for (comparison, names) in comparisons {
      for name in names {
        all[name] = { value, arguments in try value.compare(comparison, try only(name, "b", arguments)) }
      }
    }
    return all
  }()

  private static func isKnown(_ name: String) -> Bool { all[name] != nil }

  private static func only(
    _ name: String, _ parameter: String, _ arguments: TemplateArguments
  ) throws -> TemplateValue {
    try arguments.bind(name, [parameter], required: 1)[0] ?? .none
  }
}
