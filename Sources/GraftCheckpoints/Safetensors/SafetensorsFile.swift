import GraftLayers
import GraftTensors

/// A safetensors file, memory-mapped: opening reads the header only, and a tensor's bytes when they are used.
///
/// Tensors keep the mapping alive; the file object may go before them.
public final class SafetensorsFile: WeightFile, WeightSource {
  /// The file's path.
  public let path: String
  /// The header's `__metadata__`.
  public let metadata: [String: String]
  /// The tensors in the order of their bytes.
  public let descriptions: [TensorDescription]

  private let mapping: MappedFile
  private let byteRanges: [Range<Int>]
  private let positions: [String: Int]

  /// Maps the file and validates all of its header.
  ///
  /// - Throws: `CheckpointError` of kind `missing`, `inputOutput` or `malformed`.
  public init(_ path: String) throws(CheckpointError) {
    let mapping = try MappedFile(path)
    let header = try SafetensorsHeader(mapping.bytes, path: path)
    self.path = path
    self.mapping = mapping
    metadata = header.metadata
    descriptions = header.entries.map(\.description)
    byteRanges = header.entries.map {
      $0.byteRange.lowerBound + header.dataOffset..<$0.byteRange.upperBound + header.dataOffset
    }
    positions = Dictionary(zip(descriptions.map(\.name), 0...)) { first, _ in first }
    guard positions.count == descriptions.count else {
      throw .malformed(path, "two tensors' names differ in their Unicode normalization only")
    }
  }

  public var name: String { path }

  /// The type and shape of the tensor called `name`, if there is one.
  public func description(of name: String) -> TensorDescription? { positions[name].map { descriptions[$0] } }

  /// The tensor called `name`, over the mapped bytes (a copy where they are not aligned to their elements).
  ///
  /// - Throws: `CheckpointError` of kind `malformed` when there is none, `unsupported` when its type has no tensors.
  public func tensor(_ name: String) throws(CheckpointError) -> Tensor {
    guard let position = positions[name] else { throw .malformed(path, "has no tensor '\(name)'") }
    let description = descriptions[position]
    guard let dtype = description.elementType.dtype else {
      throw CheckpointError(
        .unsupported, path,
        "tensor '\(name)' has dtype \(description.elementType.rawValue), which has no arithmetic here",
        remedy: "convert it to F32, F16 or BF16 first")
    }
    let bytes = UnsafeRawBufferPointer(rebasing: mapping.bytes[byteRanges[position]])
    let shape = Shape(description.shape)
    guard let address = bytes.baseAddress, !bytes.isEmpty, Int(bitPattern: address) % dtype.bytesPerBlock == 0 else {
      let copy = try AlignedBytes(count: bytes.count, for: "\(path): tensor '\(name)'")
      copy.bytes.copyMemory(from: bytes)
      return Tensor(
        borrowing: UnsafeRawPointer(copy.bytes.baseAddress.unsafelyUnwrapped), owner: copy, shape: shape, dtype: dtype)
    }
    return Tensor(borrowing: address, owner: mapping, shape: shape, dtype: dtype)
  }

  public func bytes(_ name: String) throws(CheckpointError) -> Tensor {
    guard let position = positions[name] else { throw .malformed(path, "has no tensor '\(name)'") }
    let bytes = UnsafeRawBufferPointer(rebasing: mapping.bytes[byteRanges[position]])
    guard let address = bytes.baseAddress else { throw .malformed(path, "tensor '\(name)' is empty") }
    return Tensor(borrowing: address, owner: mapping, shape: [bytes.count], dtype: .uint8)
  }

  /// Gives `body` the stored bytes of the tensor called `name`, whatever its type; `nil` when there is none.
  public func withBytes<Result>(of name: String, _ body: (UnsafeRawBufferPointer) -> Result) -> Result? {
    guard let position = positions[name] else { return nil }
    defer { withExtendedLifetime(mapping) {} }
    return body(UnsafeRawBufferPointer(rebasing: mapping.bytes[byteRanges[position]]))
  }

  /// Gives back the pages of the tensor called `name`, which are read again when they are needed.
  public func releasePages(of name: String) {
    if let position = positions[name] { mapping.release(UnsafeRawBufferPointer(rebasing: mapping.bytes[byteRanges[position]])) }
  }
}
