import GraftCheckpoints
import GraftJSON

extension Inspection {
  /// What a GGUF file holds; long lists, such as vocabularies, by their lengths.
  static func gguf(_ path: String) throws(CheckpointError) -> JSON {
    let file = try GGUFFile(path)
    let tensors = file.entries.map { entry -> JSON in
      ["name": .string(entry.name), "dtype": .string(entry.type.name), "shape": .array(entry.shape.map(JSON.integer))]
    }
    return [
      "kind": "gguf", "path": .string(path), "version": .integer(file.version), "tensor_count": .integer(file.entries.count),
      "parameters": .integer(file.entries.reduce(0) { $0 + $1.shape.reduce(1, *) }),
      "bytes": .integer(file.entries.reduce(0) { $0 + $1.byteCount }),
      "metadata": .object(JSONObject(file.metadata.map { ($0.key, json(of: $0.value)) })), "tensors": .array(tensors),
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
