/// The length in bytes of the UTF-8 scalar that starts with `lead`.
@inlinable
@inline(__always)
package func scalarLength(_ lead: UInt8) -> Int { lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4 }

/// The scalar that starts at `position` of valid UTF-8, and its length in bytes.
@inlinable
@inline(__always)
package func decodeScalar(_ text: UnsafeBufferPointer<UInt8>, at position: Int) -> (scalar: UInt32, length: Int) {
  let lead = UInt32(text[position])
  if lead < 0x80 { return (lead, 1) }
  let second = UInt32(text[position + 1] & 0x3F)
  if lead < 0xE0 { return ((lead & 0x1F) << 6 | second, 2) }
  let third = UInt32(text[position + 2] & 0x3F)
  if lead < 0xF0 { return ((lead & 0x0F) << 12 | second << 6 | third, 3) }
  let fourth = UInt32(text[position + 3] & 0x3F)
  return ((lead & 0x07) << 18 | second << 12 | third << 6 | fourth, 4)
}

extension UnsafeBufferPointer<UInt8> {
  /// The scalar that ends at `position`, which is not the start.
  package func scalar(before position: Int) -> UInt32 {
    var start = position - 1
    while self[start] & 0xC0 == 0x80 { start -= 1 }
    return decodeScalar(self, at: start).scalar
  }

  /// The start of the white space that ends at `position`.
  package func whiteSpaceStart(before position: Int) -> Int {
    var position = position
    while position > 0, ScalarClass.isWhiteSpace(scalar(before: position)) {
      repeat { position -= 1 } while self[position] & 0xC0 == 0x80
    }
    return position
  }

  /// The end of the white space that starts at `position`.
  package func whiteSpaceEnd(after position: Int) -> Int {
    var position = position
    while position < count {
      let (scalar, length) = decodeScalar(self, at: position)
      guard ScalarClass.isWhiteSpace(scalar) else { break }
      position += length
    }
    return position
  }

  /// Calls `body` with every scalar and the range of its bytes.
  @inlinable
  @inline(__always)
  package func forEachScalar(in range: Range<Int>, _ body: (UInt32, Range<Int>) -> Void) {
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
  @inlinable
  @inline(__always)
  package mutating func append(scalar: UInt32) {
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
