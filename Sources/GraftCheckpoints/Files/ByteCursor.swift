/// A place in little-endian bytes of a file, which is never read past their end.
struct ByteCursor {
  let bytes: UnsafeRawBufferPointer
  /// The file and the part of it, for messages.
  let location: String
  private(set) var position: Int

  init(_ bytes: UnsafeRawBufferPointer, at position: Int = 0, location: String) {
    self.bytes = bytes
    self.location = location
    self.position = position
  }

  var remaining: Int { bytes.count - position }

  /// The next `count` bytes.
  ///
  /// - Throws: `CheckpointError` of kind `malformed` where so many do not follow.
  mutating func take(_ count: Int) throws(CheckpointError) -> UnsafeRawBufferPointer {
    guard count >= 0, count <= remaining else {
      throw .malformed(location, "ends within something of \(count) bytes at byte \(position)", remedy: "fetch it again")
    }
    defer { position += count }
    return UnsafeRawBufferPointer(rebasing: bytes[position..<position + count])
  }

  /// The next integer.
  mutating func integer<Integer: FixedWidthInteger>(_ type: Integer.Type = Integer.self) throws(CheckpointError) -> Integer {
    let bytes = try take(MemoryLayout<Integer>.size)
    return Integer(littleEndian: bytes.loadUnaligned(as: Integer.self))
  }

  /// The next integer of 64 bits as a size, which must fit what remains if each thing takes `unit` bytes.
  mutating func count(unit: Int = 1) throws(CheckpointError) -> Int {
    let start = position
    let value: UInt64 = try integer()
    guard value <= UInt64(remaining / unit) else {
      throw .malformed(location, "declares \(value) of something at byte \(start), more than the file has room for")
    }
    return Int(value)
  }
}
