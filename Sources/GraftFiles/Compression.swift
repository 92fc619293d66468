import CZlib
import CZstd

/// A compression of whole files, by the ending of their names.
package enum Compression: String, Sendable, CaseIterable {
  /// gzip's (RFC 1952), several members one behind the other included.
  case gzip = "gz"
  /// Zstandard's (RFC 8878), several frames one behind the other included.
  case zstd = "zst"

  /// The compression of a file; nil where its name does not end as one's.
  package init?(path: String) {
    guard let dot = path.lastIndex(of: ".") else { return nil }
    self.init(rawValue: path[path.index(after: dot)...].lowercased())
  }

  /// The most bytes that a file of `size` bytes may expand to.
  package static func largestExpansion(of size: Int) -> Int { (64 << 20) + 64 * size }

  /// Expands a file piece by piece.
  ///
  /// - Parameter sink: takes the expanded bytes in order; false ends the expansion.
  /// - Throws: `FileError` for a file that is damaged, cut short or expands to more than `largestExpansion(of:)` allows, and what `sink` throws.
  package func expand(_ file: RandomAccessFile, _ sink: (UnsafeRawBufferPointer) throws -> Bool) throws {
    let limit = Self.largestExpansion(of: file.size)
    var expander: any Expander = try self == .gzip ? GzipExpander(file.path) : ZstdExpander(file.path)
    defer { expander.end() }
    var expanded = 0
    var isEnded = false
    try file.forEachPiece { _, bytes in
      guard !isEnded else { return }
      try bytes.withUnsafeBytes { input in
        var position = 0
        while true {
          let output = try expander.expand(input, &position)
          expanded += output.count
          guard expanded <= limit else {
            throw FileError(
              .malformed, file.path, "\(file.size) bytes expand to more than \(limit), which no text does",
              remedy: "unpack it yourself if it is sound")
          }
          if !output.isEmpty, try !sink(output) {
            isEnded = true
            return
          }
          if position == input.count, output.count < expanderBufferSize { return }
        }
      }
    }
    guard isEnded || expander.isComplete else {
      throw FileError(.malformed, file.path, "the compressed data ends early", remedy: "fetch the file again")
    }
  }
}

private let expanderBufferSize = 1 << 18

/// The state of an expansion.
private protocol Expander {
  /// True at the end of a member or frame.
  var isComplete: Bool { get }
  /// Expands on from `position`, which it moves; the result is full where there may be more.
  mutating func expand(_ input: UnsafeRawBufferPointer, _ position: inout Int) throws(FileError) -> UnsafeRawBufferPointer
  mutating func end()
}

extension Expander {
  fileprivate func damaged(_ path: String, _ kind: String) -> FileError {
    FileError(.malformed, path, "is no sound \(kind) file", remedy: "fetch the file again, or correct its ending")
  }
}

private struct GzipExpander: Expander {
  private let stream: UnsafeMutablePointer<z_stream>
  private let buffer: UnsafeMutableRawBufferPointer
  private let path: String
  private(set) var isComplete = true

  init(_ path: String) throws(FileError) {
    self.path = path
    stream = .allocate(capacity: 1)
    stream.initialize(to: z_stream())
    buffer = .allocate(byteCount: expanderBufferSize, alignment: 16)
    guard CZlib_gunzipInit(stream) == Z_OK else { throw FileError(.outOfMemory, path, "zlib gets no memory") }
  }

  mutating func expand(_ input: UnsafeRawBufferPointer, _ position: inout Int) throws(FileError) -> UnsafeRawBufferPointer {
    stream.pointee.next_out = buffer.baseAddress?.assumingMemoryBound(to: UInt8.self)
    stream.pointee.avail_out = UInt32(buffer.count)
    while position < input.count || !isComplete, stream.pointee.avail_out > 0 {
      if isComplete {
        inflateReset(stream)
        isComplete = false
      }
      // zlib does not write to its input, whose type only says so in newer versions.
      stream.pointee.next_in = UnsafeMutablePointer(mutating: input.baseAddress?.assumingMemoryBound(to: UInt8.self).advanced(by: position))
      stream.pointee.avail_in = UInt32(input.count - position)
      let room = stream.pointee.avail_out
      let code = inflate(stream, Z_NO_FLUSH)
      let isStuck = position == input.count - Int(stream.pointee.avail_in) && stream.pointee.avail_out == room
      position = input.count - Int(stream.pointee.avail_in)
      if code == Z_STREAM_END { isComplete = true } else if code != Z_OK, code != Z_BUF_ERROR { throw damaged(path, "gzip") }
      if isStuck, code != Z_STREAM_END { break }
    }
    return UnsafeRawBufferPointer(rebasing: buffer[0..<(buffer.count - Int(stream.pointee.avail_out))])
  }

  mutating func end() {
    inflateEnd(stream)
    stream.deallocate()
    buffer.deallocate()
  }
}

private struct ZstdExpander: Expander {
  private let stream: OpaquePointer
  private let buffer: UnsafeMutableRawBufferPointer
  private let path: String
  private(set) var isComplete = true

  init(_ path: String) throws(FileError) {
    self.path = path
    guard let stream = ZSTD_createDStream() else { throw FileError(.outOfMemory, path, "libzstd gets no memory") }
    self.stream = stream
    // The window of `zstd --long` at its default; a header that asks for more is refused before memory is taken.
    ZSTD_DCtx_setParameter(stream, ZSTD_d_windowLogMax, 27)
    buffer = .allocate(byteCount: expanderBufferSize, alignment: 16)
  }

  mutating func expand(_ input: UnsafeRawBufferPointer, _ position: inout Int) throws(FileError) -> UnsafeRawBufferPointer {
    var source = ZSTD_inBuffer(src: input.baseAddress, size: input.count, pos: position)
    var target = ZSTD_outBuffer(dst: buffer.baseAddress, size: buffer.count, pos: 0)
    while target.pos < target.size {
      let before = (source.pos, target.pos)
      let rest = ZSTD_decompressStream(stream, &target, &source)
      guard ZSTD_isError(rest) == 0 else { throw damaged(path, "zstd") }
      isComplete = rest == 0
      if (source.pos, target.pos) == before || (source.pos == source.size && target.pos < target.size) { break }
    }
    position = source.pos
    return UnsafeRawBufferPointer(rebasing: buffer[0..<target.pos])
  }

  mutating func end() {
    ZSTD_freeDStream(stream)
    buffer.deallocate()
  }
}
