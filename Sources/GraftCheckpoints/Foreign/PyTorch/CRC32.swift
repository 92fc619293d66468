/// The checksum of zip files (ISO 3309, the reflected polynomial 0xEDB88320), eight bytes at a time.
enum CRC32 {
  /// Table `n` holds the checksums of each byte followed by `n` zeros.
  private static let tables: [UInt32] = {
    var tables = [UInt32](repeating: 0, count: 8 * 256)
    for byte in 0..<256 {
      tables[byte] = (0..<8).reduce(UInt32(byte)) { value, _ in value & 1 == 1 ? value >> 1 ^ 0xEDB8_8320 : value >> 1 }
    }
    for index in 256..<tables.count { tables[index] = tables[index - 256] >> 8 ^ tables[Int(tables[index - 256] & 0xFF)] }
    return tables
  }()

  static func checksum(_ bytes: UnsafeRawBufferPointer) -> UInt32 {
    tables.withUnsafeBufferPointer { tables in
      var checksum = ~UInt32(0)
      var position = 0
      while bytes.count - position >= 8 {
        let word = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: position, as: UInt64.self)) ^ UInt64(checksum)
        checksum = (0..<8).reduce(0) { $0 ^ tables[(7 - $1) * 256 + Int(truncatingIfNeeded: word >> (8 * UInt64($1))) & 0xFF] }
        position += 8
      }
      for byte in bytes[position...] { checksum = checksum >> 8 ^ tables[Int((checksum ^ UInt32(byte)) & 0xFF)] }
      return ~checksum
    }
  }
}
