import CHDF5

/// The budget of reading a file: bytes of memory in proportion to the file's own, and every object once.
///
/// A dataset may be compressed a thousandfold, declare chunks that were never stored, and be linked to from many places, so
/// that small files could otherwise take all memory and hours.
final class HDF5Budget {
  private let fileSize: Int
  private var remaining: Int
  private var storedRemaining: Int
  private var paths: [UInt64: String] = [:]

  /// The number of bytes to which a file of any size may expand, and the number for each of its own.
  private static let freeBytes = 64 << 20, expansion = 64
  /// The factor by which values that are parsed from a text take more memory than it.
  private static let textWeight = 16

  init(fileSize: Int) {
    self.fileSize = fileSize
    remaining = Self.freeBytes + Self.expansion * fileSize
    storedRemaining = fileSize
  }

  /// Pays for a dataset's elements.
  ///
  /// - Parameters:
  ///   - byteCount: their bytes in memory, in whole chunks.
  ///   - stored: their bytes in the file.
  ///   - chunks: the number of those pieces.
  /// - Throws: `CheckpointError` of kind `malformed` where the file's size does not bear it.
  func charge(_ byteCount: Int, stored: Int, chunks: Int, isText: Bool, _ location: String) throws(CheckpointError) {
    let cost = isText ? Self.textWeight : 1
    guard byteCount <= remaining / cost, stored <= storedRemaining, chunks <= 1 + fileSize / 8 else {
      throw .malformed(
        location, "expands to \(byteCount) bytes in \(chunks) chunks, out of proportion to the file's \(fileSize)", remedy: "do not trust this file")
    }
    remaining -= cost * byteCount
    storedRemaining -= stored
  }

  /// Notes which object lies at a path: one object is reached on one path.
  ///
  /// - Throws: `CheckpointError` of kind `malformed` for a second path to it.
  func claim(_ object: hid_t, as path: String, _ location: String) throws(CheckpointError) {
    var address: UInt64 = 0
    guard CHDF5_objectAddress(object, &address) == 0 else { throw .malformed(location, "is damaged") }
    guard let other = paths.updateValue(path, forKey: address), other != path else { return }
    throw .malformed(location, "is the same object as /\(other), which adapter files must not have", remedy: "write it as a copy")
  }
}
