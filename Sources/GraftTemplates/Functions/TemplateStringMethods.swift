/// The methods of strings, by Python's names.
enum TemplateStringMethods {
  static let names: Set<String> = [
    "strip", "lstrip", "rstrip", "removeprefix", "removesuffix",
    "upper", "lower", "casefold", "title", "capitalize", "swapcase",
    "split", "rsplit", "splitlines", "partition", "rpartition", "join", "replace", "format", "expandtabs",
    "startswith", "endswith", "find", "rfind", "index", "rindex", "count",
    "zfill", "ljust", "rjust", "center",
    "isdigit", "isdecimal", "isnumeric", "isalpha", "isalnum", "isspace", "isascii", "isprintable",
    "islower", "isupper", "istitle", "isidentifier",
  ]

  /// Calls a method on `value`, whose text is `text`.
  static func call(
    _ name: String, on value: TemplateValue, _ text: String, _ arguments: TemplateArguments
  ) throws -> TemplateValue {
    switch name {
    case "strip": return try strip(name, value, text, arguments, left: true, right: true)
    case "lstrip": return try strip(name, value, text, arguments, left: true, right: false)
    case "rstrip": return try strip(name, value, text, arguments, left: false, right: true)
    case "removeprefix", "removesuffix": return try withoutAffix(name, value, text, arguments)
    case "upper": return value.like(PythonText.uppercased(text))
    case "lower", "casefold": return value.like(PythonText.lowercased(text))
    case "title": return value.like(PythonText.titlecased(text))
    case "capitalize": return value.like(PythonText.capitalized(text))
    case "swapcase": return value.like(PythonText.swappedCase(text))
    case "split", "rsplit": return try split(name, value, text, arguments)
    case "splitlines":
      let keepsEnds = try arguments.bind(name, ["keepends"])[0].flag(default: false)
      return .list(try PythonText.lines(text, keepsEnds: keepsEnds).map(value.like))
    case "partition", "rpartition": return try partition(name, value, text, arguments)
    case "join": return try join(value, text, arguments)
    case "replace": return try replace(value, text, arguments)
    case "format": return value.like(try TemplateLimits.checked(try BraceFormat.format(text, with: arguments)))
    case "expandtabs": return value.like(try PythonText.replace(text, "\t", "        "))
    case "startswith": return try hasAffix(name, text, arguments) { $0.starts(with: $1) }
    case "endswith": return try hasAffix(name, text, arguments) { $0.reversed().starts(with: $1.reversed()) }
    case "find": return .integer(try position(name, text, arguments, last: false) ?? -1)
    case "rfind": return .integer(try position(name, text, arguments, last: true) ?? -1)
    case "index": return .integer(try requiredPosition(name, text, arguments, last: false))
    case "rindex": return .integer(try requiredPosition(name, text, arguments, last: true))
    case "count": return try count(text, arguments)
    case "zfill": return try zeroFill(value, text, arguments)
    case "ljust": return try pad(name, value, text, arguments) { (0, $0) }
    case "rjust": return try pad(name, value, text, arguments) { ($0, 0) }
    case "center": return try center(value, text, arguments)
    default: return .bool(isAll(name, text))
    }
  }

  /// The questions about all characters of a text, `isdigit` and its like.
  private static func isAll(_ name: String, _ text: String) -> Bool {
    func all(_ condition: (Unicode.Scalar) -> Bool) -> Bool {
      !text.isEmpty && text.unicodeScalars.allSatisfy(condition)
    }
    switch name {
    case "isdigit": return all { $0.properties.numericType == .decimal || $0.properties.numericType == .digit }
    case "isdecimal": return all { $0.properties.numericType == .decimal }
    case "isnumeric": return all { $0.properties.numericType != nil }
    case "isalpha": return all(\.isPythonLetter)
    case "isalnum": return all { $0.isPythonLetter || $0.properties.numericType != nil }
    case "isspace": return all(\.isPythonSpace)
    case "isascii": return text.utf8.allSatisfy { $0 < 0x80 }
    case "isprintable": return text.unicodeScalars.allSatisfy(\.isPythonPrintable)
    case "islower": return isLower(text)
    case "isupper": return isUpper(text)
    case "istitle": return isTitle(text)
    default:
      guard let first = text.unicodeScalars.first, first == "_" || first.properties.isXIDStart else { return false }
      return text.unicodeScalars.allSatisfy(\.properties.isXIDContinue)
    }
  }

  static func isLower(_ text: String) -> Bool {
    let cased = text.unicodeScalars.filter(\.isCased)
    return !cased.isEmpty && !cased.contains(where: \.isUppercaseOrTitlecase)
  }

  static func isUpper(_ text: String) -> Bool {
    let cased = text.unicodeScalars.filter(\.isCased)
    return !cased.isEmpty && cased.allSatisfy(\.properties.isUppercase)
  }

  private static func isTitle(_ text: String) -> Bool {
    var followsCased = false
    var hasCased = false
    for scalar in text.unicodeScalars {
      if scalar.isCased {
        guard scalar.isUppercaseOrTitlecase != followsCased else { return false }
        hasCased = true
      }
      followsCased = scalar.isCased
    }
    return hasCased
  }

  private static func withoutAffix(
    _ name: String, _ value: TemplateValue, _ text: String, _ arguments: TemplateArguments
  ) throws -> TemplateValue {
    let affix = try arguments.bindPositional(name, 1...1)[0].requiredText(for: name)
    let count = affix.unicodeScalars.count
    if name == "removeprefix" {
      return text.utf8.starts(with: affix.utf8) ? value.like(String(text.unicodeScalars.dropFirst(count))) : value
    }
    let ends = text.utf8.reversed().starts(with: affix.utf8.reversed())
    return ends ? value.like(String(text.unicodeScalars.dropLast(count))) : value
  }

  private static func split(
    _ name: String, _ value: TemplateValue, _ text: String, _ arguments: TemplateArguments
  ) throws -> TemplateValue {
    let given = try arguments.bind(name, ["sep", "maxsplit"])
    let separator = try given[0].optionalText(for: name)
    let limit = try given[1].integer(default: -1, for: name)
    let pieces =
      name == "split"
      ? try PythonText.split(text, separator, limit: limit)
      : try PythonText.splitFromRight(text, separator, limit: limit)
    return .list(pieces.map(value.like))
  }

  private static func partition(
    _ name: String, _ value: TemplateValue, _ text: String, _ arguments: TemplateArguments
  ) throws -> TemplateValue {
    let separator = try arguments.bindPositional(name, 1...1)[0].requiredText(for: name)
    let isFromLeft = name == "partition"
    let pieces =
      isFromLeft
      ? try PythonText.split(text, separator, limit: 1) : try PythonText.splitFromRight(text, separator, limit: 1)
    guard pieces.count == 2 else { return .tuple((isFromLeft ? [text, "", ""] : ["", "", text]).map(value.like)) }
    return .tuple([pieces[0], separator, pieces[1]].map(value.like))
  }

  private static func join(
    _ value: TemplateValue, _ text: String, _ arguments: TemplateArguments
  ) throws -> TemplateValue {
    let items = try (arguments.bindPositional("join", 1...1)[0] ?? .none).items()
    if case .markup = value {
      let texts = items.map(\.escaped)
      try TemplateLimits.check(joining: texts, with: text)
      return .markup(texts.joined(separator: text))
    }
    var texts: [String] = []
    for (index, item) in items.enumerated() {
      guard let piece = item.text else {
        throw TemplateFailure(.value, "sequence item \(index): expected str instance, \(item.typeName) found")
      }
      texts.append(piece)
    }
    try TemplateLimits.check(joining: texts, with: text)
    return .string(texts.joined(separator: text))
  }

  private static func replace(
    _ value: TemplateValue, _ text: String, _ arguments: TemplateArguments
  ) throws -> TemplateValue {
    let given = try arguments.bindPositional("replace", 2...3)
    let old = try given[0].requiredText(for: "replace")
    var new = try given[1].requiredText(for: "replace")
    if case .markup = value { new = given[1]?.escaped ?? new }
    let count = try given[2].integer(default: -1, for: "replace")
    return value.like(try PythonText.replace(text, old, new, count: count))
  }

  private static func zeroFill(
    _ value: TemplateValue, _ text: String, _ arguments: TemplateArguments
  ) throws -> TemplateValue {
    let width = try width("zfill", try arguments.bindPositional("zfill", 1...1)[0])
    let zeros = String(repeating: "0", count: max(0, width - text.unicodeScalars.count))
    guard let sign = text.unicodeScalars.first, sign == "-" || sign == "+" else { return value.like(zeros + text) }
    return value.like(String(sign) + zeros + String(text.unicodeScalars.dropFirst()))
  }

  static func center(
    _ value: TemplateValue, _ text: String, _ arguments: TemplateArguments
  ) throws -> TemplateValue {
    let length = text.unicodeScalars.count
    return try pad("center", value, text, arguments) { padding in
      // The odd space goes left only where the width is odd.
      let left = padding / 2 + (padding & (length + padding) & 1)
      return (left, padding - left)
    }
  }

  private static func strip(
    _ name: String, _ value: TemplateValue, _ text: String, _ arguments: TemplateArguments, left: Bool, right: Bool
  ) throws -> TemplateValue {
    let characters = try arguments.bindPositional(name, 0...1)[0].optionalText(for: name)
    return value.like(PythonText.strip(text, characters, left: left, right: right))
  }

  static func width(_ name: String, _ value: TemplateValue?) throws -> Int {
    let width = try value.integer(default: 0, for: name)
    try TemplateLimits.check(byteCount: width)
    return width
  }

  static func pad(
    _ name: String, _ value: TemplateValue, _ text: String, _ arguments: TemplateArguments,
    share: (Int) -> (left: Int, right: Int)
  ) throws -> TemplateValue {
    let given = try arguments.bindPositional(name, 1...2)
    let fill = try given[1].optionalText(for: name) ?? " "
    guard fill.unicodeScalars.count == 1 else {
      throw TemplateFailure(.value, "The fill character must be exactly one character long")
    }
    let padding = max(0, try width(name, given[0]) - text.unicodeScalars.count)
    let (left, right) = share(padding)
    return value.like(String(repeating: fill, count: left) + text + String(repeating: fill, count: right))
  }
}
