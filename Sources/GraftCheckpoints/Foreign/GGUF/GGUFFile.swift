import GraftTensors

/// A GGUF file, memory-mapped: metadata and tensors as llama.cpp keeps them.
///
/// Versions 2 and 3, little-endian. All of the header is validated before anything of a declared size is made.
public final class GGUFFile {
  /// A tensor's place and format.
  public struct Entry: Equatable, Sendable {
    /// The name in the file.
    public let name: String
    package let format: ElementFormat
    /// Outermost first, the reverse of how it is stored.
    public let shape: [Int]
    /// In the file.
    let byteRange: Range<Int>

    package var byteCount: Int { byteRange.count }
  }

  package let path: String
  package let version: Int
  /// In the order of the file.
  public let metadata: [(key: String, value: GGUFValue)]
  /// In the order of their bytes.
  public let entries: [Entry]
  private let mapping: MappedFile
  private let positions: [String: Int]

  private static let defaultAlignment = 32
  private static let maximumAlignment = 1 << 16
  private static let maximumNameBytes = 63
  private static let maximumKeyBytes = 1024
  private static let maximumRank = 4

  /// Maps the file and validates all of its header.
  ///
  /// - Throws: `CheckpointError` of kind `missing`, `inputOutput`, `malformed`, or `unsupported` for other versions.
  public init(_ path: String) throws(CheckpointError) {
    let mapping = try MappedFile(path)
    var cursor = ByteCursor(mapping.bytes, location: path)
    guard mapping.bytes.starts(with: "GGUF".utf8) else { throw .malformed(path, "is no GGUF file") }
    _ = try cursor.take(4)
    let version: UInt32 = try cursor.integer()
    guard (2...3).contains(version) else {
      let isSwapped = (2...3).contains(version.byteSwapped)
      throw CheckpointError(
        .unsupported, path, isSwapped ? "is big-endian" : "has GGUF version \(version), of which 2 and 3 are read",
        remedy: "convert it with llama.cpp's own tools")
    }
    let tensorCount = try cursor.count(unit: 25)
    let valueCount = try cursor.count(unit: 13)
    metadata = try Self.metadata(&cursor, count: valueCount)
    let alignment = try Self.alignment(metadata, path)
    entries = try Self.entries(&cursor, count: tensorCount, alignment: alignment)
    positions = Dictionary(zip(entries.map(\.name), 0...)) { first, _ in first }
    guard positions.count == entries.count else { throw .malformed(path, "has two tensors of one name") }
    self.path = path
    self.version = Int(version)
    self.mapping = mapping
  }

  /// The key of a file's metadata by which what graft wrote is known again; llama.cpp passes it over.
  public static let generatorKey = "graft.generator"

  /// Returns true for a file that graft wrote.
  public static func isOwn(_ path: String) -> Bool { (try? GGUFFile(path))?[generatorKey] != nil }

  /// The value under a key.
  public subscript(key: String) -> GGUFValue? { metadata.first { $0.key == key }?.value }

  package func entry(of name: String) -> Entry? { positions[name].map { entries[$0] } }

  /// The tensor called `name`, over the mapped bytes (a copy where they are not aligned to their elements).
  ///
  /// - Throws: `CheckpointError` of kind `malformed` when there is none, `unsupported` for a quantized one.
  public func tensor(_ name: String) throws(CheckpointError) -> Tensor {
    guard let entry = entry(of: name) else { throw .malformed(path, "has no tensor '\(name)'") }
    let dtype = entry.format
    guard dtype.blockLength == 1 else {
      throw CheckpointError(.unsupported, path, "tensor '\(name)' is in blocks of \(dtype.ggmlName), which are no tensor")
    }
    let bytes = UnsafeRawBufferPointer(rebasing: mapping.bytes[entry.byteRange])
    let shape = Shape(entry.shape)
    guard let address = bytes.baseAddress, !bytes.isEmpty, Int(bitPattern: address) % dtype.bytesPerBlock == 0 else {
      let copy = try AlignedBytes(count: bytes.count, for: "\(path): tensor '\(name)'")
      copy.bytes.copyMemory(from: bytes)
      return Tensor(borrowing: UnsafeRawPointer(copy.bytes.baseAddress.unsafelyUnwrapped), owner: copy, shape: shape, dtype: dtype)
    }
    return Tensor(borrowing: address, owner: mapping, shape: shape, dtype: dtype)
  }

  /// The tensor called `name` as a writer takes it: that of blocks as their bytes.
  /// - Throws: `CheckpointError` of kind `malformed` when there is none.
  public func content(of name: String) throws(CheckpointError) -> Tensor {
    guard let entry = entry(of: name), entry.format.blockLength > 1 else { return try tensor(name) }
    return try bytes(of: entry)
  }

  /// The mapped bytes of a tensor, as a vector.
  func bytes(of entry: Entry) throws(CheckpointError) -> Tensor {
    guard let address = UnsafeRawBufferPointer(rebasing: mapping.bytes[entry.byteRange]).baseAddress else {
      throw .malformed(path, "tensor '\(entry.name)' is empty")
    }
    return Tensor(borrowing: address, owner: mapping, shape: [entry.byteCount], dtype: .uint8)
  }

  // MARK: The header

  private static func string(_ cursor: inout ByteCursor, _ what: String, maximum: Int = .max) throws(CheckpointError) -> String {
    let length = try cursor.count()
    guard length > 0 || maximum == .max, length <= maximum, let text = String(validating: try cursor.take(length), as: UTF8.self) else {
      throw .malformed(cursor.location, "\(what) is empty, longer than \(maximum) bytes or not UTF-8")
    }
    return text
  }

  private static func metadata(
    _ cursor: inout ByteCursor, count: Int
  ) throws(CheckpointError) -> [(key: String, value: GGUFValue)] {
    var metadata: [(key: String, value: GGUFValue)] = []
    var keys: Set<String> = []
    for _ in 0..<count {
      let key = try string(&cursor, "a key", maximum: maximumKeyBytes)
      guard keys.insert(key).inserted else { throw .malformed(cursor.location, "has two values for '\(key)'") }
      metadata.append((key, try value(&cursor, of: key)))
    }
    return metadata
  }

  private static func kind(_ cursor: inout ByteCursor, of key: String) throws(CheckpointError) -> GGUFValue.Kind {
    let code: UInt32 = try cursor.integer()
    guard let kind = GGUFValue.Kind(rawValue: code) else { throw .malformed(cursor.location, "'\(key)' has the unknown type \(code)") }
    return kind
  }

  private static func value(_ cursor: inout ByteCursor, of key: String) throws(CheckpointError) -> GGUFValue {
    switch try kind(&cursor, of: key) {
    case .uint8: return .uint8(try cursor.integer())
    case .int8: return .int8(try cursor.integer())
    case .uint16: return .uint16(try cursor.integer())
    case .int16: return .int16(try cursor.integer())
    case .uint32: return .uint32(try cursor.integer())
    case .int32: return .int32(try cursor.integer())
    case .uint64: return .uint64(try cursor.integer())
    case .int64: return .int64(try cursor.integer())
    case .float32: return .float32(Float(bitPattern: try cursor.integer()))
    case .float64: return .float64(Double(bitPattern: try cursor.integer()))
    case .string: return .string(try string(&cursor, "'\(key)'"))
    case .bool:
      let byte: UInt8 = try cursor.integer()
      guard byte <= 1 else { throw .malformed(cursor.location, "'\(key)' is neither true nor false") }
      return .bool(byte == 1)
    case .array: return .array(try array(&cursor, of: key))
    }
  }

  private static func array(_ cursor: inout ByteCursor, of key: String) throws(CheckpointError) -> GGUFArray {
    let kind = try kind(&cursor, of: key)
    guard kind != .array else { throw CheckpointError(.unsupported, cursor.location, "'\(key)' is an array of arrays") }
    let count = try cursor.count(unit: kind.minimumBytes)
    let start = cursor.position
    if kind == .string {
      for _ in 0..<count { _ = try cursor.take(try cursor.count()) }
    } else {
      let bytes = try cursor.take(count * kind.minimumBytes)
      guard kind != .bool || bytes.allSatisfy({ $0 <= 1 }) else { throw .malformed(cursor.location, "'\(key)' holds what is neither true nor false") }
    }
    return GGUFArray(kind: kind, count: count, bytes: Array(cursor.bytes[start..<cursor.position]))
  }

  private static func alignment(_ metadata: [(key: String, value: GGUFValue)], _ path: String) throws(CheckpointError) -> Int {
    guard let value = metadata.first(where: { $0.key == "general.alignment" })?.value else { return defaultAlignment }
    guard case .uint32(let alignment) = value, alignment > 0, alignment <= maximumAlignment, alignment & (alignment - 1) == 0 else {
      throw .malformed(path, "general.alignment is no power of two up to \(maximumAlignment)")
    }
    return Int(alignment)
  }

  private static func entries(
    _ cursor: inout ByteCursor, count: Int, alignment: Int
  ) throws(CheckpointError) -> [Entry] {
    var described: [(name: String, format: ElementFormat, shape: [Int], offset: UInt64, byteCount: Int)] = []
    for _ in 0..<count {
      let name = try string(&cursor, "a tensor's name", maximum: maximumNameBytes)
      let rank: UInt32 = try cursor.integer()
      guard rank <= maximumRank else { throw .malformed(cursor.location, "tensor '\(name)' has \(rank) dimensions") }
      var shape: [Int] = []
      for _ in 0..<rank {
        guard let dimension = Int(exactly: try cursor.integer(UInt64.self)) else {
          throw .malformed(cursor.location, "tensor '\(name)' has an impossible dimension")
        }
        shape.insert(dimension, at: 0)
      }
      let code: UInt32 = try cursor.integer()
      guard let format = ElementFormat(ggmlType: code) else {
        throw CheckpointError(.unsupported, cursor.location, "tensor '\(name)' has the unknown type \(code)")
      }
      guard let byteCount = format.byteCount(of: shape) else {
        throw .malformed(cursor.location, "tensor '\(name)' of type \(format.ggmlName) cannot have the shape \(shape)")
      }
      described.append((name, format, shape, try cursor.integer(), byteCount))
    }
    let start = cursor.position + (alignment - cursor.position % alignment) % alignment
    var entries: [Entry] = []
    var end = 0
    for tensor in described {
      guard tensor.offset == UInt64(end) else {
        throw .malformed(cursor.location, "tensor '\(tensor.name)' begins at byte \(tensor.offset) of the data, expected \(end)")
      }
      guard start <= cursor.bytes.count, tensor.byteCount <= cursor.bytes.count - start - end else {
        throw .malformed(cursor.location, "tensor '\(tensor.name)' reaches beyond the file's end", remedy: "fetch the file again")
      }
      entries.append(
        Entry(name: tensor.name, format: tensor.format, shape: tensor.shape, byteRange: start + end..<start + end + tensor.byteCount))
      let padded = tensor.byteCount + (alignment - tensor.byteCount % alignment) % alignment
      // The last tensor's padding may be missing.
      end = min(end + padded, cursor.bytes.count - start)
    }
    guard entries.isEmpty || start + end == cursor.bytes.count else { throw .malformed(cursor.location, "goes on after its last tensor") }
    return entries
  }
}
