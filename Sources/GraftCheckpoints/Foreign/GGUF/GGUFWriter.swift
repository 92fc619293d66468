import GraftTensors

/// A tensor of a GGUF file to be.
public struct GGUFTensor: Equatable, Sendable {
  /// The name there.
  public let name: String
  /// The format of its elements or blocks.
  public let format: ElementFormat
  /// Outermost first; of blocks, the shape of what they stand for.
  public let shape: [Int]

  /// A tensor of such elements or blocks.
  public init(name: String, format: ElementFormat, shape: [Int]) { (self.name, self.format, self.shape) = (name, format, shape) }

  /// A tensor in memory under a name.
  public init(name: String, of tensor: Tensor) { self.init(name: name, format: tensor.dtype, shape: tensor.shape.dimensions) }

  var byteCount: Int { format.byteCount(of: shape) ?? 0 }
}

/// Writes GGUF files of version 3, as llama.cpp reads them.
public enum GGUFWriter {
  private static let alignment = 32

  /// Writes a file of tensors that are made one after the other, so that they need not be in memory together.
  ///
  /// - Parameters:
  ///   - metadata: the values under distinct keys, in the order of the file.
  ///   - descriptions: the tensors in the order of the file; of up to four dimensions, with names of up to 63 bytes.
  ///   - path: the file, replaced only when all is written.
  ///   - provider: answers the tensor of a description, the bytes of one in blocks; called once for each, in order.
  /// - Throws: `CheckpointError` of kind `cannotCreate`, `inputOutput`, or `unsupported` for what the format cannot hold,
  ///   or what `provider` throws.
  public static func write(
    metadata: [(key: String, value: GGUFValue)], _ descriptions: [GGUFTensor], to path: String,
    from provider: (GGUFTensor) throws -> Tensor
  ) throws {
    precondition(Set(metadata.map(\.key)).count == metadata.count, "two values of one key")
    precondition(Set(descriptions.map(\.name)).count == descriptions.count, "two tensors of one name")
    let header = try header(metadata, descriptions, path)
    let file = try AtomicFile(at: path)
    try file.write(header)
    for description in descriptions {
      let tensor = try provider(description)
      let isAsDescribed =
        description.format.blockLength == 1
        ? GGUFTensor(name: description.name, of: tensor) == description : tensor.dtype == .uint8 && tensor.elementCount == description.byteCount
      precondition(isAsDescribed, "the provider's tensor '\(description.name)' is not as described")
      try tensor.withUnsafeBytes { bytes in try file.write(bytes) }
      try file.write([UInt8](repeating: 0, count: padding(after: description.byteCount)))
    }
    try file.commit()
  }

  private static func padding(after count: Int) -> Int { (alignment - count % alignment) % alignment }

  private static func header(
    _ metadata: [(key: String, value: GGUFValue)], _ descriptions: [GGUFTensor], _ path: String
  ) throws(CheckpointError) -> [UInt8] {
    var header = Array("GGUF".utf8)
    append(UInt32(3), to: &header)
    append(UInt64(descriptions.count), to: &header)
    append(UInt64(metadata.count), to: &header)
    for (key, value) in metadata {
      header += GGUFValue.bytes(of: key)
      append(value.kind.rawValue, to: &header)
      header += value.bytes
    }
    var offset = 0
    for description in descriptions {
      guard let type = description.format.ggmlType, description.shape.count <= 4, description.name.utf8.count <= 63 else {
        throw CheckpointError(
          .unsupported, path,
          "GGUF has no place for '\(description.name)' \(description.format) \(description.shape)")
      }
      header += GGUFValue.bytes(of: description.name)
      append(UInt32(description.shape.count), to: &header)
      for dimension in description.shape.reversed() { append(UInt64(dimension), to: &header) }
      append(type, to: &header)
      append(UInt64(offset), to: &header)
      offset += description.byteCount + padding(after: description.byteCount)
    }
    return header + [UInt8](repeating: 0, count: padding(after: header.count))
  }
}
