extension TemplateFilters {
  static let text: [String: Filter] = [
    "upper": { value, _ in value.like(PythonText.uppercased(value.description)) },
    "lower": { value, _ in value.like(PythonText.lowercased(value.description)) },
    "capitalize": { value, _ in value.like(PythonText.capitalized(value.description)) },
    "title": { value, _ in value.like(title(value.description)) },
    "trim": { value, arguments in
      let characters = try arguments.bind("trim", ["chars"])[0].optionalText(for: "trim")
      return value.like(PythonText.strip(value.description, characters, left: true, right: true))
    },
    "string": { value, _ in value.like(value.description) },
    "safe": { value, _ in .markup(value.description) },
    "escape": { value, _ in .markup(value.escaped) },
    "e": { value, _ in .markup(value.escaped) },
    "forceescape": { value, _ in .markup(TemplateValue.string(value.description).escaped) },
    "tojson": { value, arguments in .string(try TemplateJSONWriter.text(of: value, arguments)) },
    "replace": { value, arguments in
      let given = try arguments.bind("replace", ["old", "new", "count"], required: 2)
      let count = try given[2].unlessNone.integer(default: -1, for: "replace")
      return .string(
        try PythonText.replace(value.description, given[0]?.description ?? "", given[1]?.description ?? "", count: count))
    },
    "indent": { value, arguments in
      let given = try arguments.bind("indent", ["width", "first", "blank"])
      return value.like(try indent(value, given))
    },
    "format": { value, arguments in
      guard arguments.positional.isEmpty || arguments.keyword.isEmpty else {
        throw TemplateFailure(.value, "can't handle positional and keyword arguments at the same time")
      }
      let values: TemplateValue =
        arguments.keyword.isEmpty
        ? .tuple(arguments.positional)
        : .dictionary(TemplateDictionary(arguments.keyword.map { (.string($0.name), $0.value) }))
      return try value.like(value.description).applying(.modulo, values)
    },
    "center": { value, arguments in
      let width = try arguments.bind("center", ["width"])[0] ?? .integer(80)
      return try TemplateStringMethods.center(value, value.description, TemplateArguments(positional: [width]))
    },
    "wordcount": { value, _ in
      var count = 0
      var isInWord = false
      for scalar in value.description.unicodeScalars {
        let belongs = scalar == "_" || scalar.isPythonLetter || scalar.properties.numericType != nil
        if belongs, !isInWord { count += 1 }
        isInWord = belongs
      }
      return .integer(count)
    },
    "truncate": { value, arguments in
      let given = try arguments.bind("truncate", ["length", "killwords", "end", "leeway"])
      return try truncate(value, given)
    },
    "striptags": { value, _ in .string(try stripTags(value.description)) },
  ]

  private static func title(_ text: String) -> String {
    var startsWord = true
    var result = ""
    let scalars = Array(text.unicodeScalars)
    for (index, scalar) in scalars.enumerated() {
      if scalar.isPythonSpace || "-({[<".unicodeScalars.contains(scalar) {
        result.unicodeScalars.append(scalar)
        startsWord = true
      } else {
        result += startsWord ? scalar.properties.uppercaseMapping : PythonText.lowercased(String(scalars[index]))
        startsWord = false
      }
    }
    return result
  }

  private static func indent(_ value: TemplateValue, _ given: [TemplateValue?]) throws -> String {
    if case .undefined(let reason) = value { throw reason.failure }
    guard let text = value.text else {
      throw TemplateFailure(.value, "unsupported operand type(s) for +=: '\(value.typeName)' and 'str'")
    }
    let width = given[0] ?? .integer(4)
    let indentation =
      try width.text ?? String(repeating: " ", count: max(0, TemplateStringMethods.width("indent", width)))
    var lines = try PythonText.lines(text + "\n")
    let (growth, overflow) = lines.count.multipliedReportingOverflow(by: indentation.utf8.count)
    try TemplateLimits.check(byteCount: overflow ? .max : growth + text.utf8.count)
    let indentsBlank = given[2].flag(default: false)
    for index in lines.indices.dropFirst() where indentsBlank || !lines[index].isEmpty {
      lines[index] = indentation + lines[index]
    }
    return (given[1].flag(default: false) ? indentation : "") + lines.joined(separator: "\n")
  }

  private static func truncate(_ value: TemplateValue, _ given: [TemplateValue?]) throws -> TemplateValue {
    let count = try value.requiredCount()
    let length = try given[0].integer(default: 255, for: "truncate")
    let end = try given[2].optionalText(for: "truncate") ?? "..."
    let leeway = given[3]?.wholeNumber ?? 5
    guard length >= end.unicodeScalars.count, leeway >= 0 else {
      throw TemplateFailure(.value, "expected length >= \(end.unicodeScalars.count), got \(length)")
    }
    guard count > length + leeway, let text = value.text else { return value }
    let kept = String(text.unicodeScalars.prefix(length - end.unicodeScalars.count))
    if given[1].flag(default: false) { return value.like(kept + end) }
    return value.like(try PythonText.splitFromRight(kept, " ", limit: 1)[0] + end)
  }

  private static func stripTags(_ text: String) throws -> String {
    var text = text
    for (open, close) in [("<!--", "-->"), ("<", ">")] {
      var kept = ""
      var rest = text[...]
      // Without an end there is nothing more to look for.
      while let start = rest.firstRange(of: open), let end = rest[start.upperBound...].firstRange(of: close) {
        kept += rest[..<start.lowerBound]
        rest = rest[end.upperBound...]
      }
      text = kept + rest
    }
    let words = try PythonText.split(text, nil)
    return try [("&lt;", "<"), ("&gt;", ">"), ("&#39;", "'"), ("&#34;", "\""), ("&quot;", "\""), ("&amp;", "&")]
      .reduce(words.joined(separator: " ")) { try PythonText.replace($0, $1.0, $1.1) }
  }
}
