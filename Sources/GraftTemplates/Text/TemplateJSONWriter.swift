import GraftJSON

/// `tojson` with the options of Python's `json.dumps`.
struct TemplateJSONWriter {
  var escapesNonASCII = false
  /// The text of one level of indentation; nil writes everything on one line.
  var indentation: String?
  var itemSeparator = ", "
  var keySeparator = ": "
  var sortsKeys = false
  private var output = ""
  private var depth = 0

  init(_ arguments: TemplateArguments) throws {
    let given = try arguments.bind("tojson", ["ensure_ascii", "indent", "separators", "sort_keys"])
    escapesNonASCII = given[0].flag(default: false)
    switch given[1] {
    case nil, .some(.none): break
    case let indent?:
      if let text = indent.text {
        indentation = text
      } else {
        let width = try given[1].integer(default: 0, for: "tojson")
        try TemplateLimits.check(byteCount: width)
        indentation = String(repeating: " ", count: max(0, width))
      }
      itemSeparator = ","
    }
    sortsKeys = given[3].flag(default: false)
    switch given[2] {
    case nil, .some(.none): break
    case let separators?:
      let texts = try separators.items().map(\.text)
      guard texts.count == 2, let item = texts[0], let key = texts[1] else {
        throw TemplateFailure(.value, "tojson() needs two strings as separators")
      }
      itemSeparator = item
      keySeparator = key
    }
  }

  static func text(of value: TemplateValue, _ arguments: TemplateArguments) throws -> String {
    var writer = try TemplateJSONWriter(arguments)
    try writer.write(value)
    return writer.output
  }

  private mutating func write(_ value: TemplateValue) throws {
    switch value {
    case .none: output += "null"
    case .bool(let flag): output += flag ? "true" : "false"
    case .integer(let number): output += String(number)
    case .double(let number): output += Self.text(of: number)
    case .string(let text), .markup(let text): write(text)
    case .list(let items), .tuple(let items):
      try write(items, "[", "]") { writer, item in try writer.write(item) }
    case .dictionary(let dictionary):
      var entries = dictionary.entries
      if sortsKeys {
        let pairs = entries.map { TemplateValue.tuple([$0.key, $0.value]) }
        entries = try TemplateValue.sorted(pairs, keys: dictionary.keys, descending: false).compactMap {
          guard case .tuple(let pair) = $0 else { return nil }
          return (pair[0], pair[1])
        }
      }
      try write(entries, "{", "}") { writer, entry in
        writer.write(try Self.key(entry.key))
        writer.output += writer.keySeparator
        try writer.write(entry.value)
      }
    default: throw TemplateFailure(.value, "Object of type \(value.typeName) is not JSON serializable")
    }
  }

  private mutating func write<Item>(
    _ items: [Item], _ open: String, _ close: String,
    _ writeItem: (inout TemplateJSONWriter, Item) throws -> Void
  ) throws {
    output += open
    depth += 1
    for (index, item) in items.enumerated() {
      if index > 0 { output += itemSeparator }
      try breakLine()
      let start = output.utf8.count
      try writeItem(&self, item)
      try TemplateLimits.check(byteCount: output.utf8.count)
      try TemplateLimits.spend(1 + (output.utf8.count - start) >> 6)
    }
    depth -= 1
    if !items.isEmpty { try breakLine() }
    output += close
  }

  private mutating func breakLine() throws {
    guard let indentation else { return }
    try TemplateLimits.check(byteCount: output.utf8.count + indentation.utf8.count * depth)
    output += "\n" + String(repeating: indentation, count: depth)
  }

  private static func text(of number: Double) -> String {
    guard !number.isNaN else { return "NaN" }
    guard number.isFinite else { return number < 0 ? "-Infinity" : "Infinity" }
    return TemplateValue.representation(of: number)
  }

  private static func key(_ value: TemplateValue) throws -> String {
    switch value {
    case .string(let text), .markup(let text): text
    case .none: "null"
    case .bool(let flag): flag ? "true" : "false"
    case .integer(let number): String(number)
    case .double(let number): text(of: number)
    default: throw TemplateFailure(.value, "keys must be str, int, float, bool or None, not \(value.typeName)")
    }
  }

  private mutating func write(_ text: String) {
    output += (escapesNonASCII ? TextQuoting.jsonInASCII : .json).quoted(text)
  }
}
