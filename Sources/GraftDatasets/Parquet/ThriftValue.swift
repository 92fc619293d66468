/// A value of Thrift's compact protocol, in which Parquet writes what it says about itself.
enum ThriftValue {
  case bool(Bool)
  case integer(Int)
  case double
  case bytes(ArraySlice<UInt8>)
  case list([ThriftValue])
  /// A structure: its fields by their numbers.
  case fields([Int: ThriftValue])

  subscript(field: Int) -> ThriftValue? {
    if case .fields(let fields) = self { fields[field] } else { nil }
  }

  var int: Int? {
    if case .integer(let value) = self { value } else { nil }
  }

  var bool: Bool? {
    if case .bool(let value) = self { value } else { nil }
  }

  var list: [ThriftValue]? {
    if case .list(let elements) = self { elements } else { nil }
  }

  var text: String? {
    if case .bytes(let bytes) = self { String(validating: bytes, as: UTF8.self) } else { nil }
  }
}

/// Reads values of Thrift's compact protocol; every list is bounded by the bytes that are left.
struct ThriftReader {
  /// Bytes that are no such values.
  struct Damage: Error {}

  private let bytes: ArraySlice<UInt8>
  /// The place of the next byte.
  private(set) var position: Int

  init(_ bytes: ArraySlice<UInt8>) {
    self.bytes = bytes
    position = bytes.startIndex
  }

  /// Reads a structure.
  mutating func structure(depth: Int = 0) throws(Damage) -> ThriftValue {
    guard depth < 32 else { throw Damage() }
    var fields: [Int: ThriftValue] = [:]
    var number = 0
    while true {
      let header = try byte()
      if header == 0 { return .fields(fields) }
      let delta = Int(header >> 4)
      number = delta == 0 ? try zigzag() : number + delta
      let type = header & 15
      // A Boolean field has its value in its type.
      fields[number] = type == 1 ? .bool(true) : type == 2 ? .bool(false) : try value(type, depth: depth)
    }
  }

  private mutating func value(_ type: UInt8, depth: Int) throws(Damage) -> ThriftValue {
    switch type {
    case 1, 2: return .bool(try byte() == 1)
    case 3: return .integer(Int(Int8(bitPattern: try byte())))
    case 4, 5, 6: return .integer(try zigzag())
    case 7:
      for _ in 0..<8 { _ = try byte() }
      return .double
    case 8:
      let count = try size()
      defer { position += count }
      return .bytes(bytes[position..<position + count])
    case 9, 10: return try list(depth: depth)
    case 11: return try map(depth: depth)
    case 12: return try structure(depth: depth + 1)
    default: throw Damage()
    }
  }

  private mutating func list(depth: Int) throws(Damage) -> ThriftValue {
    guard depth < 32 else { throw Damage() }
    let header = try byte()
    let count = header >> 4 == 15 ? try size() : Int(header >> 4)
    guard count <= bytes.endIndex - position else { throw Damage() }
    var elements: [ThriftValue] = []
    for _ in 0..<count { elements.append(try value(header & 15, depth: depth + 1)) }
    return .list(elements)
  }

  private mutating func map(depth: Int) throws(Damage) -> ThriftValue {
    guard depth < 32 else { throw Damage() }
    let count = try size()
    guard count > 0 else { return .list([]) }
    let types = try byte()
    for _ in 0..<count {
      _ = try value(types >> 4, depth: depth + 1)
      _ = try value(types & 15, depth: depth + 1)
    }
    return .list([])
  }

  private mutating func byte() throws(Damage) -> UInt8 {
    guard position < bytes.endIndex else { throw Damage() }
    defer { position += 1 }
    return bytes[position]
  }

  private mutating func varint() throws(Damage) -> UInt64 {
    var result: UInt64 = 0
    for shift in stride(from: UInt64(0), to: 70, by: 7) {
      let byte = try byte()
      result |= UInt64(byte & 127) << shift
      if byte < 128 { return result }
    }
    throw Damage()
  }

  private mutating func zigzag() throws(Damage) -> Int {
    let value = try varint()
    return Int(truncatingIfNeeded: value >> 1) ^ -Int(truncatingIfNeeded: value & 1)
  }

  /// A number of bytes or elements, which there have to be.
  private mutating func size() throws(Damage) -> Int {
    guard let count = Int(exactly: try varint()), count <= bytes.endIndex - position else { throw Damage() }
    return count
  }
}
