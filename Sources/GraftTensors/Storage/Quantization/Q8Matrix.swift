/// A matrix of ggml's `Q8_0`: blocks of 32 signed bytes under a float16 scale, `w = scale * q`.
public struct Q8Matrix: BlockMatrix {
  public let shape: Shape
  /// The format of the blocks: 32 values of 8 bits and their scale.
  public var format: ElementFormat { .q8_0 }
  public var isMapped: Bool { !bytes.storage.isWritable }
  private let bytes: Tensor

  /// - Parameters:
  ///   - bytes: uint8, the rows one after another, each of whole blocks.
  ///   - shape: `[rows, columns]`.
  /// - Precondition: as many bytes as the shape takes.
  public init(_ bytes: Tensor, shape: Shape) {
    precondition(bytes.dtype == .uint8 && shape.rank == 2, "\(bytes.dtype) \(bytes.shape) as blocks of \(shape)")
    precondition(ElementFormat.q8_0.byteCount(of: shape.dimensions) == bytes.elementCount, "\(bytes.elementCount) bytes for \(shape)")
    (self.bytes, self.shape) = (bytes, shape)
  }

  public func decode(row: Int, columns: Range<Int>, into elements: inout MutableSpan<Float>) {
    let length = format.blockLength
    let width = format.bytesPerBlock
    precondition(columns.lowerBound % length == 0 && columns.count % length == 0, "columns \(columns) in blocks of \(length)")
    bytes.withUnsafeBytes { bytes in
      var start = format.bytes(for: row * shape[1] + columns.lowerBound)
      for first in stride(from: 0, to: columns.count, by: length) {
        let block = bytes[start..<start + width]
        let scale = Float(Float16(bitPattern: UInt16(block[start]) | UInt16(block[start + 1]) << 8))
        for index in 0..<length { elements[first + index] = scale * Float(Int8(bitPattern: block[start + 2 + index])) }
        start += width
      }
    }
  }
}
