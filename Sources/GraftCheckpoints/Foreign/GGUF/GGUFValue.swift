/// A value of a GGUF file's metadata.
public enum GGUFValue: Equatable, Sendable {
  /// A whole number of a width.
  case uint8(UInt8), int8(Int8), uint16(UInt16), int16(Int16), uint32(UInt32), int32(Int32), uint64(UInt64), int64(Int64)
  /// A number, a truth value, or a text.
  case float32(Float), float64(Double), bool(Bool), string(String)
  /// A list of values of one type.
  case array(GGUFArray)

  /// The types of values, by their numbers in files.
  enum Kind: UInt32 {
    case uint8 = 0, int8, uint16, int16, uint32, int32, float32, bool, string, array, uint64, int64, float64

    /// The bytes of one, and the fewest of a string or array.
    var minimumBytes: Int {
      switch self {
      case .uint8, .int8, .bool: 1
      case .uint16, .int16: 2
      case .uint32, .int32, .float32: 4
      case .uint64, .int64, .float64, .string: 8
      case .array: 12
      }
    }
  }

  var kind: Kind {
    switch self {
    case .uint8: .uint8
    case .int8: .int8
    case .uint16: .uint16
    case .int16: .int16
    case .uint32: .uint32
    case .int32: .int32
    case .uint64: .uint64
    case .int64: .int64
    case .float32: .float32
    case .float64: .float64
    case .bool: .bool
    case .string: .string
    case .array: .array
    }
  }

  /// The value of an integer of any width that fits.
  public var int: Int? {
    switch self {
    case .uint8(let value): Int(value)
    case .int8(let value): Int(value)
    case .uint16(let value): Int(value)
    case .int16(let value): Int(value)
    case .uint32(let value): Int(value)
    case .int32(let value): Int(value)
    case .uint64(let value): Int(exactly: value)
    case .int64(let value): Int(value)
    default: nil
    }
  }

  package var double: Double? {
    switch self {
    case .float32(let value): Double(value)
    case .float64(let value): value
    default: nil
    }
  }

  package var string: String? { if case .string(let value) = self { value } else { nil } }
  package var bool: Bool? { if case .bool(let value) = self { value } else { nil } }
  package var array: GGUFArray? { if case .array(let value) = self { value } else { nil } }

  /// The bytes of the value, without its type.
  var bytes: [UInt8] {
    var bytes: [UInt8] = []
    switch self {
    case .uint8(let value): append(value, to: &bytes)
    case .int8(let value): append(value, to: &bytes)
    case .uint16(let value): append(value, to: &bytes)
    case .int16(let value): append(value, to: &bytes)
    case .uint32(let value): append(value, to: &bytes)
    case .int32(let value): append(value, to: &bytes)
    case .uint64(let value): append(value, to: &bytes)
    case .int64(let value): append(value, to: &bytes)
    case .float32(let value): append(value.bitPattern, to: &bytes)
    case .float64(let value): append(value.bitPattern, to: &bytes)
    case .bool(let value): bytes.append(value ? 1 : 0)
    case .string(let value): bytes = Self.bytes(of: value)
    case .array(let value):
      append(value.kind.rawValue, to: &bytes)
      append(UInt64(value.count), to: &bytes)
      bytes += value.bytes
    }
    return bytes
  }

  /// A string under its length.
  static func bytes(of string: String) -> [UInt8] {
    var bytes: [UInt8] = []
    append(UInt64(string.utf8.count), to: &bytes)
    return bytes + Array(string.utf8)
  }
}

/// Values of one type, kept as they are stored: a vocabulary takes no more room than in its file.
public struct GGUFArray: Equatable, Sendable {
  let kind: GGUFValue.Kind
  package let count: Int
  let bytes: [UInt8]

  init(kind: GGUFValue.Kind, count: Int, bytes: [UInt8]) { (self.kind, self.count, self.bytes) = (kind, count, bytes) }

  package init(_ strings: [String]) { self.init(kind: .string, count: strings.count, bytes: strings.flatMap(GGUFValue.bytes)) }

  package init(_ values: [Float]) { self.init(kind: .float32, count: values.count, bytes: values.flatMap { GGUFValue.float32($0).bytes }) }

  package init(_ values: [Int32]) { self.init(kind: .int32, count: values.count, bytes: values.flatMap { GGUFValue.int32($0).bytes }) }

  /// The strings; nil for other types. What is not UTF-8 is repaired.
  public var strings: [String]? {
    guard kind == .string else { return nil }
    var strings: [String] = []
    var position = 0
    for _ in 0..<count {
      let length = Int(bytes[position..<position + 8].reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) })
      strings.append(String(decoding: bytes[position + 8..<position + 8 + length], as: UTF8.self))
      position += 8 + length
    }
    return strings
  }

  /// The integers of 32 bits; nil for other types.
  public var integers: [Int32]? { words(.int32).map { $0.map { Int32(bitPattern: $0) } } }

  /// The numbers of 32 bits; nil for other types.
  public var floats: [Float]? { words(.float32).map { $0.map { Float(bitPattern: $0) } } }

  private func words(_ wanted: GGUFValue.Kind) -> [UInt32]? {
    guard kind == wanted else { return nil }
    return bytes.withUnsafeBytes { bytes in
      (0..<count).map { UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: 4 * $0, as: UInt32.self)) }
    }
  }
}
