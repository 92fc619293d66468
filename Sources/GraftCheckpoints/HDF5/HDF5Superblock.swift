/// The first bytes of an HDF5 file of version 3, as its format specification describes them.
enum HDF5Superblock {
  private static let checksumOffset = 44

  /// Makes the checksum right in a file image of which `H5Fget_file_image` has cleared the "open for writing" mark:
  /// version 1.10 of the library leaves the checksum from before, with which nobody could open the file.
  static func repairChecksum(of image: inout [UInt8]) {
    let version = 8
    let sizeOfOffsets = 9
    guard image.count >= checksumOffset + 4, image[version] == 3, image[sizeOfOffsets] == 8 else { return }
    let checksum = lookup3(image[..<checksumOffset])
    for byte in 0..<4 { image[checksumOffset + byte] = UInt8(truncatingIfNeeded: checksum >> (8 * UInt32(byte))) }
  }

  /// Bob Jenkins's hash of 2006, "lookup3", with which HDF5 protects its metadata.
  static func lookup3(_ bytes: ArraySlice<UInt8>) -> UInt32 {
    var (a, b, c) = (UInt32(0xDEAD_BEEF) &+ UInt32(bytes.count), UInt32(0), UInt32(0))
    (b, c) = (a, a)
    func rotated(_ value: UInt32, _ count: UInt32) -> UInt32 { value << count | value >> (32 - count) }

    var rest = bytes
    while true {
      let block = rest.prefix(12) + repeatElement(0, count: max(0, 12 - rest.count))
      func word(_ index: Int) -> UInt32 {
        (0..<4).reduce(0) { $0 | UInt32(block[block.startIndex + 4 * index + $1]) << (8 * UInt32($1)) }
      }
      a &+= word(0)
      b &+= word(1)
      c &+= word(2)
      guard rest.count > 12 else { break }
      rest = rest.dropFirst(12)
      a &-= c
      a ^= rotated(c, 4)
      c &+= b
      b &-= a
      b ^= rotated(a, 6)
      a &+= c
      c &-= b
      c ^= rotated(b, 8)
      b &+= a
      a &-= c
      a ^= rotated(c, 16)
      c &+= b
      b &-= a
      b ^= rotated(a, 19)
      a &+= c
      c &-= b
      c ^= rotated(b, 4)
      b &+= a
    }
    c ^= b
    c &-= rotated(b, 14)
    a ^= c
    a &-= rotated(c, 11)
    b ^= a
    b &-= rotated(a, 25)
    c ^= b
    c &-= rotated(b, 16)
    a ^= c
    a &-= rotated(c, 4)
    b ^= a
    b &-= rotated(a, 14)
    c ^= b
    c &-= rotated(b, 24)
    return c
  }
}
