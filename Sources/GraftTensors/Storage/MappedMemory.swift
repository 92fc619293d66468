/// Memory that a file is mapped to, whose pages the system takes back and reads again when they are needed.
public protocol MappedMemory: AnyObject {
  /// Gives back the pages that lie within these bytes.
  func release(_ bytes: UnsafeRawBufferPointer)
}

extension Tensor {
  /// Gives back the pages of elements that lie in a mapped file, where they have been read and will not be soon again.
  package func releaseMappedPages() {
    storage.releaseMappedPages(UnsafeRawBufferPointer(start: rawPointer, count: dtype.bytes(for: elementCount)))
  }

  /// The elements in another format; those of a mapped file are given back piece by piece.
  package func convertedReleasing(to format: ElementFormat) -> Tensor {
    guard format != dtype, !storage.isWritable else { return converted(to: format) }
    let out = Tensor(uninitialized: shape, dtype: format)
    let piece = 1 << 22
    for start in stride(from: 0, to: elementCount, by: piece) {
      let count = min(piece, elementCount - start)
      let part = Tensor(storage: storage, offset: offset + start, shape: [count], dtype: dtype)
      let (from, to) = (part.rawPointer, out.rawPointer + format.bytes(for: start))
      parallel(over: count, grain: 1 << 16) { range in
        convert(to + format.bytes(for: range.lowerBound), format, from + dtype.bytes(for: range.lowerBound), dtype, range.count)
      }
      part.releaseMappedPages()
    }
    return out
  }

  /// Calls `body` on all threads with consecutive pieces of elements as float32, in memory that it may write; then gives back the pages
  /// of a mapped file.
  func readInPieces(of length: Int, _ body: (_ piece: Range<Int>, _ elements: UnsafeMutablePointer<Float>) -> Void) {
    let from = rawPointer
    parallel(over: elementCount, grain: max(1, length)) { piece in
      withUnsafeTemporaryAllocation(of: Float.self, capacity: piece.count) { buffer in
        guard let elements = buffer.baseAddress else { return }
        convert(elements, .float32, from + dtype.bytes(for: piece.lowerBound), dtype, piece.count)
        body(piece, elements)
      }
    }
    releaseMappedPages()
  }
}
