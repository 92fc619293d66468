extension UnsafeBufferPointer<UInt8> {
  /// The scalar that ends at `position`, which is not the start.
  func scalar(before position: Int) -> UInt32 {
    var start = position - 1
    while self[start] & 0xC0 == 0x80 { start -= 1 }
    return decodeScalar(self, at: start).scalar
  }

  /// Where the white space that ends at `position` starts.
  func whiteSpaceStart(before position: Int) -> Int {
    var position = position
    while position > 0, ScalarClass.isWhiteSpace(scalar(before: position)) {
      repeat { position -= 1 } while self[position] & 0xC0 == 0x80
    }
    return position
  }

  /// Where the white space that starts at `position` ends.
  func whiteSpaceEnd(after position: Int) -> Int {
    var position = position
    while position < count {
      let (scalar, length) = decodeScalar(self, at: position)
      guard ScalarClass.isWhiteSpace(scalar) else { break }
      position += length
    }
    return position
  }

  /// Calls `body` with every scalar and its place.
  @inline(__always)
  func forEachScalar(in range: Range<Int>, _ body: (UInt32, Range<Int>) -> Void) {
    var position = range.lowerBound
    while position < range.upperBound {
      let (scalar, length) = decodeScalar(self, at: position)
      body(scalar, position..<position + length)
      position += length
    }
  }
}

extension [UInt8] {
  /// Appends the UTF-8 of a scalar.
  @inline(__always)
  mutating func append(scalar: UInt32) {
    switch scalar {
    case 0..<0x80: append(UInt8(scalar))
    case 0x80..<0x800:
      append(UInt8(0xC0 | scalar >> 6))
      append(UInt8(0x80 | scalar & 0x3F))
    case 0x800..<0x10000:
      append(UInt8(0xE0 | scalar >> 12))
      append(UInt8(0x80 | scalar >> 6 & 0x3F))
      append(UInt8(0x80 | scalar & 0x3F))
    default:
      append(UInt8(0xF0 | scalar >> 18))
      append(UInt8(0x80 | scalar >> 12 & 0x3F))
      append(UInt8(0x80 | scalar >> 6 & 0x3F))
      append(UInt8(0x80 | scalar & 0x3F))
    }
  }
}
