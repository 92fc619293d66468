import CKernels

/// A matrix of floating-point numbers of 4 bits (E2M1) with a power of two for every 32 of a row, codes and powers apart, as gpt-oss has
/// them (Rouhani et al. 2023, "Microscaling Data Formats").
public struct MicroscaledMatrix: BlockMatrix {
  public let shape: Shape
  public var format: ElementFormat { .mxfp4 }
  public var isMapped: Bool { !codes.storage.isWritable }
  /// uint8, two codes a byte, the lower half first.
  private let codes: Tensor
  /// uint8, exponents of two with a bias of 127.
  private let exponents: Tensor

  /// - Precondition: rows of whole blocks, and as many codes and exponents as the shape takes.
  public init(_ codes: Tensor, exponents: Tensor, shape: Shape) {
    let count = shape.elementCount
    precondition(codes.dtype == .uint8 && 2 * codes.elementCount == count && shape.rank == 2 && shape[1] % 32 == 0, "\(codes.shape) for \(shape)")
    precondition(exponents.dtype == .uint8 && 32 * exponents.elementCount == count, "\(exponents.shape) for \(shape)")
    (self.codes, self.exponents, self.shape) = (codes, exponents, shape)
  }

  public func decode(row: Int, columns: Range<Int>, into elements: inout MutableSpan<Float>) {
    let (codes, exponents) = (codes.rawPointer.assumingMemoryBound(to: UInt8.self), exponents.rawPointer.assumingMemoryBound(to: UInt8.self))
    elements.withUnsafeMutableBufferPointer { out in
      guard let out = out.baseAddress else { return }
      graft_decode_microscaled(out, codes, exponents, row * shape[1] + columns.lowerBound, columns.count)
    }
  }
}
