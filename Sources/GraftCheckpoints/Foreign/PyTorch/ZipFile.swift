/// The members of a zip file, none of them compressed, as PyTorch keeps tensors in.
///
/// Everything is checked before it is used: members lie inside the file, apart from each other, and under distinct
/// names, and their checksums hold. Both the original layout and the one for large files are read (PKWARE's APPNOTE,
/// sections 4.3 to 4.5).
struct ZipFile: @unchecked Sendable {
  let path: String
  private let bytes: UnsafeRawBufferPointer
  private var ranges: [String: Range<Int>] = [:]
  private var checksums: [String: UInt32] = [:]

  private static let maximumMembers = 200_000
  private static let maximumNameBytes = 1024
  private static let unknownSize = UInt64(UInt32.max)

  /// - Parameter bytes: the file's, which must outlive the value.
  /// - Throws: `CheckpointError` of kind `malformed`, or `unsupported` for members that are compressed or encrypted.
  init(_ bytes: UnsafeRawBufferPointer, path: String) throws(CheckpointError) {
    self.bytes = bytes
    self.path = path
    let directory = try Self.directory(of: bytes, path: path)
    var cursor = ByteCursor(UnsafeRawBufferPointer(rebasing: bytes[..<directory.range.upperBound]), at: directory.range.lowerBound, location: path)
    var regions: [Range<Int>] = []
    for _ in 0..<directory.count {
      let entry = try Entry(&cursor)
      guard entry.method == 0, entry.storedSize == entry.size else {
        throw CheckpointError(.unsupported, path, "its member '\(entry.name)' is compressed", remedy: "save it without compression")
      }
      guard entry.flags & 1 == 0 else { throw CheckpointError(.unsupported, path, "its member '\(entry.name)' is encrypted") }
      let region = try Self.region(of: entry, in: bytes, before: directory.range.lowerBound, path: path)
      regions.append(region.whole)
      guard ranges.updateValue(region.content, forKey: entry.name) == nil else {
        throw .malformed(path, "has two members called '\(entry.name)'")
      }
      checksums[entry.name] = entry.checksum
    }
    guard cursor.remaining == 0 else { throw .malformed(path, "its directory holds more than its members") }
    regions.sort { $0.lowerBound < $1.lowerBound }
    for (first, second) in zip(regions, regions.dropFirst()) where first.upperBound > second.lowerBound {
      throw .malformed(path, "two of its members overlap", remedy: "do not trust this file")
    }
  }

  var names: [String] { ranges.keys.sorted() }

  /// The content of a member, verified; nil where there is none of that name.
  ///
  /// - Throws: `CheckpointError` of kind `malformed` where the checksum is another.
  func content(of name: String) throws(CheckpointError) -> UnsafeRawBufferPointer? {
    guard let content = unverifiedContent(of: name) else { return nil }
    guard CRC32.checksum(content) == checksums[name] else {
      throw .malformed(path, "its member '\(name)' does not have the checksum that is recorded", remedy: "fetch the file again")
    }
    return content
  }

  /// The content of a member whose checksum has been found right before; nil where there is none of that name.
  func unverifiedContent(of name: String) -> UnsafeRawBufferPointer? { ranges[name].map { UnsafeRawBufferPointer(rebasing: bytes[$0]) } }

  // MARK: The directory

  private static func directory(of bytes: UnsafeRawBufferPointer, path: String) throws(CheckpointError) -> (range: Range<Int>, count: Int) {
    let recordSize = 22
    func noZip() -> CheckpointError { .malformed(path, "is no zip file, or cut short", remedy: "fetch it again") }
    guard bytes.count >= recordSize else { throw noZip() }
    let earliest = max(0, bytes.count - recordSize - Int(UInt16.max))
    let end = stride(from: bytes.count - recordSize, through: earliest, by: -1).first { position in
      bytes.loadUnaligned(fromByteOffset: position, as: UInt32.self).littleEndian == 0x0605_4B50
        && position + recordSize + Int(bytes.loadUnaligned(fromByteOffset: position + 20, as: UInt16.self).littleEndian) == bytes.count
    }
    guard let end else { throw noZip() }
    var cursor = ByteCursor(bytes, at: end + 4, location: path)
    var disks = [UInt64(try cursor.integer(UInt16.self)), UInt64(try cursor.integer(UInt16.self))]
    var counts = [UInt64(try cursor.integer(UInt16.self)), UInt64(try cursor.integer(UInt16.self))]
    var size = UInt64(try cursor.integer(UInt32.self))
    var start = UInt64(try cursor.integer(UInt32.self))
    var limit = end
    if end >= 20, bytes.loadUnaligned(fromByteOffset: end - 20, as: UInt32.self).littleEndian == 0x0706_4B50 {
      var locator = ByteCursor(bytes, at: end - 16, location: path)
      _ = try locator.integer(UInt32.self)
      let record = try locator.integer(UInt64.self)
      guard record <= UInt64(max(0, end - 20 - 56)) else { throw noZip() }
      limit = Int(record)
      var large = ByteCursor(bytes, at: limit, location: path)
      guard try large.integer(UInt32.self) == 0x0606_4B50 else { throw noZip() }
      _ = try large.take(12)
      disks = [UInt64(try large.integer(UInt32.self)), UInt64(try large.integer(UInt32.self))]
      counts = [try large.integer(UInt64.self), try large.integer(UInt64.self)]
      size = try large.integer()
      start = try large.integer()
    }
    guard disks == [0, 0], counts[0] == counts[1] else { throw CheckpointError(.unsupported, path, "is one part of several") }
    let (stop, overflow) = start.addingReportingOverflow(size)
    guard !overflow, stop <= UInt64(limit), counts[0] <= UInt64(min(maximumMembers, Int(size) / 46)) else {
      throw .malformed(path, "its directory does not fit into it")
    }
    return (Int(start)..<Int(stop), Int(counts[0]))
  }

  /// A member's header and content, of which the former must name it as the directory does.
  private static func region(
    of entry: Entry, in bytes: UnsafeRawBufferPointer, before limit: Int, path: String
  ) throws(CheckpointError) -> (whole: Range<Int>, content: Range<Int>) {
    let outside = CheckpointError.malformed(path, "its member '\(entry.name)' does not lie inside it")
    guard entry.offset <= UInt64(limit) else { throw outside }
    var cursor = ByteCursor(UnsafeRawBufferPointer(rebasing: bytes[..<limit]), at: Int(entry.offset), location: path)
    guard try cursor.integer(UInt32.self) == 0x0403_4B50 else { throw outside }
    _ = try cursor.take(22)
    let nameLength = Int(try cursor.integer(UInt16.self))
    let extraLength = Int(try cursor.integer(UInt16.self))
    guard try cursor.take(nameLength).elementsEqual(entry.name.utf8) else {
      throw .malformed(path, "its directory names '\(entry.name)' otherwise than the member's header")
    }
    _ = try cursor.take(extraLength)
    let start = cursor.position
    guard entry.size <= UInt64(limit - start) else { throw outside }
    return (Int(entry.offset)..<start + Int(entry.size), start..<start + Int(entry.size))
  }

  /// One entry of the directory.
  private struct Entry {
    let name: String
    let flags: UInt16, method: UInt16, checksum: UInt32
    private(set) var storedSize: UInt64, size: UInt64, offset: UInt64

    init(_ cursor: inout ByteCursor) throws(CheckpointError) {
      guard try cursor.integer(UInt32.self) == 0x0201_4B50 else { throw .malformed(cursor.location, "its directory is damaged") }
      _ = try cursor.take(4)
      flags = try cursor.integer()
      method = try cursor.integer()
      _ = try cursor.take(4)
      checksum = try cursor.integer()
      storedSize = UInt64(try cursor.integer(UInt32.self))
      size = UInt64(try cursor.integer(UInt32.self))
      let nameLength = Int(try cursor.integer(UInt16.self))
      let extraLength = Int(try cursor.integer(UInt16.self))
      let commentLength = Int(try cursor.integer(UInt16.self))
      _ = try cursor.take(8)
      offset = UInt64(try cursor.integer(UInt32.self))
      guard nameLength <= ZipFile.maximumNameBytes, let name = String(validating: try cursor.take(nameLength), as: UTF8.self) else {
        throw .malformed(cursor.location, "a member has no valid name")
      }
      self.name = name
      try readLargeSizes(try cursor.take(extraLength), cursor.location)
      _ = try cursor.take(commentLength)
    }

    /// The sizes that do not fit 32 bits stand in an extra field, in this order.
    private mutating func readLargeSizes(_ extra: UnsafeRawBufferPointer, _ location: String) throws(CheckpointError) {
      var fields = ByteCursor(extra, location: location)
      while fields.remaining >= 4 {
        let kind: UInt16 = try fields.integer()
        let length = Int(try fields.integer(UInt16.self))
        var field = ByteCursor(try fields.take(length), location: location)
        guard kind == 1 else { continue }
        if size == ZipFile.unknownSize { size = try field.integer() }
        if storedSize == ZipFile.unknownSize { storedSize = try field.integer() }
        if offset == ZipFile.unknownSize { offset = try field.integer() }
      }
    }
  }
}
