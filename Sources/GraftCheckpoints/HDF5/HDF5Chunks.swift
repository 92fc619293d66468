import CHDF5
import CZlib

/// The layout of a dataset's elements in pieces, and the filters by which the pieces were written.
struct HDF5Chunks {
  /// In elements, outermost first.
  let shape: [Int]
  /// The number of pieces along each axis.
  let counts: [Int]
  /// The bytes of a piece in memory.
  let byteCount: Int
  private let filters: [H5Z_filter_t]

  private static let deflate: H5Z_filter_t = 1, fletcher32: H5Z_filter_t = 3
  private static let checksumBytes = 4

  /// - Parameter extent: the dataset's shape, of one axis at least.
  /// - Throws: `CheckpointError` of kind `malformed`.
  init(_ creation: hid_t, extent: [Int], _ elementType: ElementType, filters: [H5Z_filter_t], _ location: String) throws(CheckpointError) {
    var dimensions = [hsize_t](repeating: 0, count: extent.count)
    guard H5Pget_chunk(creation, Int32(extent.count), &dimensions) == Int32(extent.count), !dimensions.contains(0),
      let byteCount = elementType.byteCount(of: dimensions.map { Int(clamping: $0) })
    else { throw .malformed(location, "has impossible chunks") }
    shape = dimensions.map { Int(clamping: $0) }
    counts = zip(extent, shape).map { $0 == 0 ? 0 : ($0 - 1) / $1 + 1 }
    self.byteCount = byteCount
    self.filters = filters
  }

  /// The number of pieces, and their bytes in memory together; nil where that cannot be counted.
  var total: (chunks: Int, bytes: Int)? {
    var chunks = 1
    for count in counts {
      let (product, overflow) = chunks.multipliedReportingOverflow(by: count)
      guard !overflow else { return nil }
      chunks = product
    }
    let (bytes, overflow) = chunks.multipliedReportingOverflow(by: byteCount)
    return overflow ? nil : (chunks, bytes)
  }

  /// Refuses a piece that expands to more than it should, which the library would find out in memory.
  ///
  /// - Throws: `CheckpointError` of kind `malformed`.
  func verifyExpansion(of dataset: hid_t, _ location: String) throws(CheckpointError) {
    guard filters.contains(Self.deflate), !counts.contains(0) else { return }
    var place = [Int](repeating: 0, count: counts.count)
    while true {
      let offset = zip(place, shape).map { hsize_t($0 * $1) }
      guard try expandsAsItShould(dataset, offset, location) else {
        throw .malformed(location, "a chunk expands to more than its \(byteCount) bytes", remedy: "do not trust this file")
      }
      guard let axis = place.indices.last(where: { place[$0] + 1 < counts[$0] }) else { return }
      place[axis] += 1
      for inner in place.indices where inner > axis { place[inner] = 0 }
    }
  }

  private func expandsAsItShould(_ dataset: hid_t, _ offset: [hsize_t], _ location: String) throws(CheckpointError) -> Bool {
    var stored: hsize_t = 0
    var skipped: UInt32 = 0
    guard H5Dget_chunk_storage_size(dataset, offset, &stored) >= 0, stored > 0 else { return true }
    // What does not shrink is stored as it is, so that no piece is much larger than its elements.
    guard stored <= hsize_t(byteCount + byteCount / 64 + 256) else { return false }
    let content = try AlignedBytes(count: Int(stored), for: location)
    guard H5Dread_chunk(dataset, CHDF5_defaultProperties(), offset, &skipped, content.bytes.baseAddress) >= 0 else {
      throw .malformed(location, "its data is damaged", remedy: "restore the file from a copy")
    }
    func isApplied(_ index: Int) -> Bool { skipped & (1 << UInt32(index)) == 0 }
    guard let deflate = filters.firstIndex(of: Self.deflate), isApplied(deflate) else { return true }
    var (compressed, expected) = (Int(stored), byteCount)
    if let checksum = filters.firstIndex(of: Self.fletcher32), isApplied(checksum) {
      if checksum > deflate { compressed -= Self.checksumBytes } else { expected += Self.checksumBytes }
    }
    return Self.inflatedCount(UnsafeRawBufferPointer(rebasing: content.bytes[..<max(0, compressed)]), upTo: expected) <= expected
  }

  /// Returns the number of bytes to which a deflated piece expands, or some more than `limit`; damage is left to the library to find.
  private static func inflatedCount(_ compressed: UnsafeRawBufferPointer, upTo limit: Int) -> Int {
    var stream = z_stream()
    var count = 0
    guard let base = compressed.baseAddress, CZlib_inflateInit(&stream) == Z_OK else { return 0 }
    defer { inflateEnd(&stream) }
    stream.next_in = UnsafeMutablePointer(mutating: base.assumingMemoryBound(to: Bytef.self))
    stream.avail_in = uInt(clamping: compressed.count)
    withUnsafeTemporaryAllocation(of: Bytef.self, capacity: 1 << 16) { scratch in
      var state = Z_OK
      while state == Z_OK, count <= limit {
        stream.next_out = scratch.baseAddress
        stream.avail_out = uInt(scratch.count)
        state = inflate(&stream, Z_NO_FLUSH)
        count += scratch.count - Int(stream.avail_out)
      }
    }
    return count
  }
}
