import GraftJSON
import GraftTensors

/// Writes safetensors files in the canonical layout: metadata first, tensors by element size and name, data
/// aligned to 8 bytes. The same tensors give the same bytes as the reference implementation.
public enum SafetensorsWriter {
  /// Writes a file of tensors that are made one after the other, so that they need not be in memory together.
  ///
  /// - Parameters:
  ///   - descriptions: every tensor of the file, in any order.
  ///   - metadata: the header's `__metadata__`; none is written when empty.
  ///   - path: the file, replaced only when all is written.
  ///   - provider: answers the tensor of a description; called once for each, in the order of the file.
  /// - Throws: `CheckpointError` of kind `cannotCreate` or `inputOutput`, or what `provider` throws.
  public static func write(
    _ descriptions: [TensorDescription], metadata: [String: String] = ["format": "pt"], to path: String,
    from provider: (TensorDescription) throws -> Tensor
  ) throws {
    let file = try AtomicFile(at: path)
    let ordered = canonicalOrder(descriptions)
    try file.write(header(ordered, metadata: metadata))
    for description in ordered {
      let tensor = try provider(description)
      // What no tensor has elements of comes as its bytes.
      let isAsDescribed =
        description.elementType.dtype == nil
        ? tensor.dtype == .uint8 && tensor.elementCount == description.byteCount
        : TensorDescription(name: description.name, of: tensor) == description
      precondition(isAsDescribed, "the provider's tensor '\(description.name)' is not as described")
      try tensor.withUnsafeBytes { bytes in try file.write(bytes) }
    }
    try file.commit()
  }

  /// Writes a file of tensors that are in memory.
  ///
  /// - Throws: `CheckpointError` of kind `cannotCreate` or `inputOutput`.
  public static func write(
    _ tensors: [(name: String, tensor: Tensor)], metadata: [String: String] = ["format": "pt"], to path: String
  ) throws {
    let byName = Dictionary(tensors.map { ($0.name, $0.tensor) }) { first, _ in first }
    precondition(byName.count == tensors.count, "two tensors of one name")
    let descriptions = tensors.map { TensorDescription(name: $0.name, of: $0.tensor) }
    try write(descriptions, metadata: metadata, to: path) { byName[$0.name] ?? Tensor([], [0]) }
  }

  static func canonicalOrder(_ descriptions: [TensorDescription]) -> [TensorDescription] {
    descriptions.sorted { left, right in
      left.elementType == right.elementType
        ? left.name.utf8.lexicographicallyPrecedes(right.name.utf8)
        : left.elementType.writingRank > right.elementType.writingRank
    }
  }

  /// The length, the JSON and its padding.
  static func header(_ ordered: [TensorDescription], metadata: [String: String]) -> [UInt8] {
    var members = JSONObject()
    if !metadata.isEmpty {
      members["__metadata__"] = .object(
        JSONObject(metadata.sorted { $0.key < $1.key }.map { ($0.key, .string($0.value)) }))
    }
    var offset = 0
    for description in ordered {
      let end = offset + description.byteCount
      members[description.name] = [
        "dtype": .string(description.elementType.rawValue),
        "shape": .array(description.shape.map(JSON.integer)),
        "data_offsets": [.integer(offset), .integer(end)],
      ]
      offset = end
    }
    var json = JSON.object(members).serializedBytes()
    json.append(contentsOf: repeatElement(UInt8(ascii: " "), count: (8 - json.count % 8) % 8))
    return withUnsafeBytes(of: UInt64(json.count).littleEndian, Array.init) + json
  }
}
