import CKernels

/// A matrix of ggml's blocks (`ggml-common.h`), such as those of GGUF files.
public struct GGMLMatrix: BlockMatrix {
  public let shape: Shape
  public let format: ElementFormat
  public var isMapped: Bool { !bytes.storage.isWritable }
  /// uint8, the rows one after another, each of whole blocks.
  package let bytes: Tensor
  private let type: graft_ggml_type

  /// The formats whose blocks are decoded.
  public static let formats = ElementFormat.allCases.filter { $0.ggmlBlocks != nil }

  /// - Parameters:
  ///   - bytes: uint8, the rows one after another, each of whole blocks.
  ///   - format: one of `formats`.
  ///   - shape: `[rows, columns]`.
  /// - Precondition: as many bytes as the shape takes.
  public init(_ bytes: Tensor, format: ElementFormat, shape: Shape) {
    precondition(bytes.dtype == .uint8 && shape.rank == 2, "\(bytes.dtype) \(bytes.shape) as blocks of \(shape)")
    precondition(format.byteCount(of: shape.dimensions) == bytes.elementCount, "\(bytes.elementCount) bytes for \(shape)")
    guard let type = format.ggmlBlocks else { preconditionFailure("no blocks of \(format)") }
    (self.bytes, self.format, self.shape, self.type) = (bytes, format, shape, type)
  }

  public func decode(row: Int, columns: Range<Int>, into elements: inout MutableSpan<Float>) {
    let length = format.blockLength
    precondition(columns.lowerBound % length == 0 && columns.count % length == 0, "columns \(columns) in blocks of \(length)")
    let from = bytes.rawPointer.assumingMemoryBound(to: UInt8.self) + format.bytes(for: row * shape[1] + columns.lowerBound)
    elements.withUnsafeMutableBufferPointer { out in
      if let out = out.baseAddress { graft_decode_ggml(out, from, Int32(type.rawValue), columns.count / length) }
    }
  }
}

extension GGMLMatrix {
  /// The matrix in blocks near to the elements.
  ///
  /// - Parameters:
  ///   - matrix: `[rows, columns]`, in any floating-point format; rows are whole blocks.
  ///   - format: Q4_0, Q5_0, Q8_0 and MXFP4, which have ggml's bits, Q4_K or Q6_K.
  /// - Throws: `NonFiniteWeightError` where elements are not finite, or beyond the range of float16's scales.
  package init(encoding matrix: Tensor, as format: ElementFormat) throws(NonFiniteWeightError) {
    guard let type = format.ggmlBlocks else { preconditionFailure("no blocks of \(format)") }
    let columns = matrix.shape[1]
    precondition(columns % format.blockLength == 0, "rows of \(columns) in blocks of \(format.blockLength)")
    let bytes = Tensor(uninitialized: [format.bytes(for: matrix.elementCount)], dtype: .uint8)
    let failures = Tensor(uninitialized: [max(1, matrix.shape[0])])
    let (to, failed) = (bytes.rawPointer.assumingMemoryBound(to: UInt8.self), failures.mutablePointer)
    failed.update(repeating: 0, count: failures.elementCount)
    matrix.readInPieces(of: columns) { piece, elements in
      for start in stride(from: 0, to: piece.count, by: max(1, columns)) {
        let at = piece.lowerBound + start
        let isFinite = UnsafeBufferPointer(start: elements + start, count: columns).largestMagnitude != nil
        let fits =
          isFinite && graft_encode_ggml(to + format.bytes(for: at), elements + start, Int32(type.rawValue), columns / format.blockLength) != 0
        if !fits { failed[at / columns] = .nan }
      }
    }
    guard failures.firstNonFiniteIndex == nil else { throw NonFiniteWeightError(format: format) }
    self.init(bytes, format: format, shape: matrix.shape)
  }
}

extension GGMLMatrix {
  /// The matrix of the rows that `order` names, in that order.
  package func rows(in order: [Int32]) -> GGMLMatrix {
    let width = format.bytes(for: shape[1])
    let copy = Tensor(uninitialized: [order.count * width], dtype: .uint8)
    for (place, row) in order.enumerated() {
      (copy.rawPointer + place * width).copyMemory(from: bytes.rawPointer + Int(row) * width, byteCount: width)
    }
    return GGMLMatrix(copy, format: format, shape: [order.count, shape[1]])
  }
}

extension ElementFormat {
  /// The kernels' name of ggml's blocks; nil for formats that they do not decode.
  fileprivate var ggmlBlocks: graft_ggml_type? {
    switch self {
    case .q4_0: GRAFT_Q4_0
    case .q4_1: GRAFT_Q4_1
    case .q5_0: GRAFT_Q5_0
    case .q5_1: GRAFT_Q5_1
    case .q8_0: GRAFT_Q8_0
    case .mxfp4: GRAFT_MXFP4
    case .q2_K: GRAFT_Q2_K
    case .q3_K: GRAFT_Q3_K
    case .q4_K: GRAFT_Q4_K
    case .q5_K: GRAFT_Q5_K
    case .q6_K: GRAFT_Q6_K
    default: nil
    }
  }
}
