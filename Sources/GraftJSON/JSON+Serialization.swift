extension JSON {
  /// The value as JSON text.
  ///
  /// Strings keep their non-ASCII scalars, numbers take the shortest form that reads back the same, and a number that
  /// is not finite, for which JSON has no word, becomes `null`.
  ///
  /// - Parameters:
  ///   - pretty: one element per line, indented by two spaces, as Python's `json.dumps(value, indent=2)` writes it;
  ///     otherwise without any white space.
  ///   - sortedKeys: members in the order of their keys' code points instead of their own.
  public func serialized(pretty: Bool = false, sortedKeys: Bool = false) -> String {
    String(decoding: serializedBytes(pretty: pretty, sortedKeys: sortedKeys), as: UTF8.self)
  }

  /// The bytes of `serialized(pretty:sortedKeys:)`.
  public func serializedBytes(pretty: Bool = false, sortedKeys: Bool = false) -> [UInt8] {
    var writer = JSONWriter(pretty: pretty, sortedKeys: sortedKeys)
    writer.write(self)
    return writer.output
  }
}

extension JSON: CustomStringConvertible {
  /// The value as compact JSON text.
  public var description: String { serialized() }
}

private struct JSONWriter {
  let pretty: Bool
  let sortedKeys: Bool
  var output: [UInt8] = []
  private var depth = 0

  init(pretty: Bool, sortedKeys: Bool) {
    self.pretty = pretty
    self.sortedKeys = sortedKeys
  }

  mutating func write(_ value: JSON) {
    switch value {
    case .null: output += "null".utf8
    case .bool(let value): output += (value ? "true" : "false").utf8
    case .integer(let value): output += String(value).utf8
    case .number(let value): output += (value.isFinite ? value.description : "null").utf8
    case .string(let value): TextQuoting.json.append(value, to: &output)
    case .array(let elements):
      writeItems(elements, between: "[", and: "]") { writer, element in writer.write(element) }
    case .object(let members):
      let members = sortedKeys ? members.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) } : Array(members)
      writeItems(members, between: "{", and: "}") { writer, member in
        TextQuoting.json.append(member.key, to: &writer.output)
        writer.output += (writer.pretty ? ": " : ":").utf8
        writer.write(member.value)
      }
    }
  }

  private mutating func writeItems<Item>(
    _ items: [Item], between open: Unicode.Scalar, and close: Unicode.Scalar, _ writeItem: (inout Self, Item) -> Void
  ) {
    output.append(UInt8(ascii: open))
    depth += 1
    for (index, item) in items.enumerated() {
      if index > 0 { output.append(UInt8(ascii: ",")) }
      startLine()
      writeItem(&self, item)
    }
    depth -= 1
    if !items.isEmpty { startLine() }
    output.append(UInt8(ascii: close))
  }

  private mutating func startLine() {
    guard pretty else { return }
    output.append(0x0A)
    output.append(contentsOf: repeatElement(0x20, count: 2 * depth))
  }
}
