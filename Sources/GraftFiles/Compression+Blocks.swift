import CZlib
import CZstd

extension Compression {
  /// Expands bytes whose expanded size is known.
  ///
  /// - Returns: the expanded bytes; nil where they are damaged or have another size.
  package func expand(_ bytes: UnsafeRawBufferPointer, size: Int) -> [UInt8]? {
    var isSound = false
    let result = [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
      switch self {
      case .gzip: isSound = Self.gunzip(bytes, into: UnsafeMutableRawBufferPointer(buffer))
      case .zstd: isSound = ZSTD_decompress(buffer.baseAddress, size, bytes.baseAddress, bytes.count) == size
      }
      count = isSound ? size : 0
    }
    return isSound ? result : nil
  }

  private static func gunzip(_ bytes: UnsafeRawBufferPointer, into buffer: UnsafeMutableRawBufferPointer) -> Bool {
    guard bytes.count <= Int(UInt32.max), buffer.count <= Int(UInt32.max) else { return false }
    var stream = z_stream()
    guard CZlib_gunzipInit(&stream) == Z_OK else { return false }
    defer { inflateEnd(&stream) }
    // zlib does not write to its input, whose type only says so in newer versions.
    stream.next_in = UnsafeMutablePointer(mutating: bytes.baseAddress?.assumingMemoryBound(to: UInt8.self))
    stream.avail_in = UInt32(bytes.count)
    // Without a byte of room zlib would not read the end of what is empty.
    var spare: UInt8 = 0
    return withUnsafeMutablePointer(to: &spare) { spare in
      stream.next_out = buffer.isEmpty ? spare : buffer.baseAddress?.assumingMemoryBound(to: UInt8.self)
      stream.avail_out = UInt32(max(1, buffer.count))
      return inflate(&stream, Z_FINISH) == Z_STREAM_END && Int(stream.total_out) == buffer.count
    }
  }
}
