import GraftJSON

extension GGUFFile {
  /// The content of the file as `graft inspect` prints it; long lists, such as vocabularies, by their lengths.
  package var summary: JSON {
    let tensors = entries.map { entry -> JSON in
      ["name": .string(entry.name), "dtype": .string(entry.format.ggmlName), "shape": .array(entry.shape.map(JSON.integer))]
    }
    return [
      "kind": "gguf", "path": .string(path), "version": .integer(version), "tensor_count": .integer(entries.count),
      "parameters": .integer(entries.reduce(0) { $0 + $1.shape.reduce(1, *) }),
      "bytes": .integer(entries.reduce(0) { $0 + $1.byteCount }),
      "metadata": .object(JSONObject(metadata.map { ($0.key, Self.json(of: $0.value)) })), "tensors": .array(tensors),
    ]
  }

  private static func json(of value: GGUFValue) -> JSON {
    let longest = 16
    if let int = value.int { return .integer(int) }
    if let double = value.double { return double.isFinite ? .number(double) : .string("\(double)") }
    if let bool = value.bool { return .bool(bool) }
    if let string = value.string { return .string(string) }
    guard let array = value.array else { return .null }
    guard array.count <= longest else { return .string("\(array.count) values") }
    if let strings = array.strings { return .array(strings.map(JSON.string)) }
    if let integers = array.integers { return .array(integers.map { .integer(Int($0)) }) }
    if let floats = array.floats { return .array(floats.map { .number(Double($0)) }) }
    return .string("\(array.count) values")
  }
}
