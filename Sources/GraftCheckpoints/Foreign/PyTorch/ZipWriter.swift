/// Writes zip files of members that are not compressed and begin at multiples of 64 bytes, as PyTorch maps them.
package struct ZipWriter {
  private let file: AtomicFile
  private var position = 0
  private var directory: [UInt8] = []
  private var count = 0

  private static let alignment = 64
  /// The day that zip files count from.
  private static let date: UInt16 = 1 << 5 | 1

  package init(at path: String) throws(CheckpointError) {
    file = try AtomicFile(at: path)
  }

  /// Adds a member.
  ///
  /// - Throws: `CheckpointError` of kind `inputOutput`, or `unsupported` beyond 4 GiB.
  mutating func add(_ name: String, _ content: UnsafeRawBufferPointer) throws(CheckpointError) {
    let nameBytes = Array(name.utf8)
    // An extra field of no meaning fills up to the boundary.
    let unpadded = position + 30 + nameBytes.count + 4
    let padding = (Self.alignment - unpadded % Self.alignment) % Self.alignment
    guard let size = UInt32(exactly: content.count), let offset = UInt32(exactly: position), offset < .max, size < .max else {
      throw CheckpointError(.unsupported, file.path, "would be larger than 4 GiB", remedy: "use safetensors")
    }
    var common: [UInt8] = []
    for value in [20, 0, 0, 0, Self.date] as [UInt16] { append(value, to: &common) }
    for value in [CRC32.checksum(content), size, size] { append(value, to: &common) }
    append(UInt16(nameBytes.count), to: &common)
    var header: [UInt8] = []
    append(UInt32(0x0403_4B50), to: &header)
    header += common
    append(UInt16(4 + padding), to: &header)
    header += nameBytes
    append(UInt16(0x4246), to: &header)
    append(UInt16(padding), to: &header)
    header += repeatElement(0, count: padding)
    try file.write(header)
    try file.write(content)
    append(UInt32(0x0201_4B50), to: &directory)
    append(UInt16(20), to: &directory)
    directory += common
    for value in [0, 0, 0, 0] as [UInt16] { append(value, to: &directory) }
    append(UInt32(0), to: &directory)
    append(offset, to: &directory)
    directory += nameBytes
    position += header.count + content.count
    count += 1
  }

  package mutating func add(_ name: String, _ content: [UInt8]) throws(CheckpointError) {
    try content.withUnsafeBufferPointer { (bytes) throws(CheckpointError) in try add(name, UnsafeRawBufferPointer(bytes)) }
  }

  /// Writes the directory and gives the file its name.
  ///
  /// - Throws: `CheckpointError` of kind `inputOutput` or `cannotCreate`, or `unsupported` for too large a file.
  package mutating func finish() throws(CheckpointError) {
    guard let count = UInt16(exactly: count), count < .max, let start = UInt32(exactly: position) else {
      throw CheckpointError(.unsupported, file.path, "would hold too much for a zip file", remedy: "use safetensors")
    }
    var end: [UInt8] = []
    append(UInt32(0x0605_4B50), to: &end)
    for value in [0, 0, count, count] { append(value, to: &end) }
    append(UInt32(directory.count), to: &end)
    append(start, to: &end)
    append(UInt16(0), to: &end)
    try file.write(directory + end)
    try file.commit()
  }
}

/// Appends an integer's bytes, the lowest first.
func append(_ value: some FixedWidthInteger, to bytes: inout [UInt8]) {
  withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
}
