/// Writes the fields of one protocol-buffers message.
struct ProtocolBuffer {
  private(set) var bytes: [UInt8] = []

  private enum WireType: UInt64 {
    case varint = 0
    case fixed64 = 1
    case delimited = 2
    case fixed32 = 5
  }

  private mutating func key(_ field: UInt64, _ type: WireType) { varint(field << 3 | type.rawValue) }

  private mutating func varint(_ value: UInt64) {
    var rest = value
    while rest >= 0x80 {
      bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    bytes.append(UInt8(rest))
  }

  mutating func add(_ field: UInt64, integer value: Int64) {
    key(field, .varint)
    varint(UInt64(bitPattern: value))
  }

  mutating func add(_ field: UInt64, double value: Double) {
    key(field, .fixed64)
    bytes.append(littleEndian: value.bitPattern)
  }

  mutating func add(_ field: UInt64, float value: Float) {
    key(field, .fixed32)
    bytes.append(littleEndian: value.bitPattern)
  }

  mutating func add(_ field: UInt64, bytes value: [UInt8]) {
    key(field, .delimited)
    varint(UInt64(value.count))
    bytes += value
  }

  mutating func add(_ field: UInt64, string value: String) { add(field, bytes: Array(value.utf8)) }

  mutating func add(_ field: UInt64, _ build: (inout ProtocolBuffer) -> Void) {
    var message = ProtocolBuffer()
    build(&message)
    add(field, bytes: message.bytes)
  }
}

extension [UInt8] {
  mutating func append(littleEndian value: some FixedWidthInteger) {
    Swift.withUnsafeBytes(of: value.littleEndian) { append(contentsOf: $0) }
  }
}
