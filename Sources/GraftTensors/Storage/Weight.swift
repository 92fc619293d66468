import GraftErrors

/// The elements of a parameter, in the form they are stored in: a tensor, or rows of blocks that products decode as they go.
///
/// Operations that multiply by a weight, look rows up in it or add to it ask for nothing else than these verbs.
public enum Weight {
  /// A tensor of numbers.
  case dense(Tensor)
  /// A matrix of quantized blocks, which products read as they are.
  case blocks(any BlockMatrix)

  /// `[rows, columns]` of a matrix.
  public var shape: Shape {
    switch self {
    case .dense(let tensor): tensor.shape
    case .blocks(let matrix): matrix.shape
    }
  }

  /// The format that the elements are stored in.
  public var format: ElementFormat {
    switch self {
    case .dense(let tensor): tensor.dtype
    case .blocks(let matrix): matrix.format
    }
  }

  /// The bytes that the elements take.
  public var byteCount: Int {
    switch self {
    case .dense(let tensor): tensor.dtype.bytes(for: tensor.elementCount)
    case .blocks(let matrix): matrix.byteCount
    }
  }

  /// The bytes that lie in a mapped file rather than in memory of the pool.
  public var mappedByteCount: Int {
    switch self {
    case .dense(let tensor): tensor.storage.isWritable ? 0 : byteCount
    case .blocks(let matrix): matrix.isMapped ? byteCount : 0
    }
  }

  /// All elements as float32; the tensor itself where it is that already.
  public func dense() -> Tensor {
    switch self {
    case .dense(let tensor): tensor.converted(to: .float32)
    case .blocks(let matrices as StackedBlocks): matrices.decoded
    case .blocks(let matrix as TransposedBlocks): matrix.base.decoded(rows: 0..<matrix.base.shape[0]).transposed
    case .blocks(let matrix): matrix.decoded(rows: 0..<matrix.shape[0])
    }
  }

  /// The stored tensor, in its own format; the elements of blocks as float32.
  public var tensor: Tensor { if case .dense(let tensor) = self { tensor } else { dense() } }

  /// Consecutive rows as float32.
  /// - Returns: `[range.count, ...]`.
  public func rows(_ range: Range<Int>) -> Tensor {
    switch self {
    case .dense(let tensor): tensor.detached.rows(range).converted(to: .float32)
    case .blocks(let matrix): matrix.decoded(rows: range)
    }
  }

  /// The weight with other elements, in the format it has.
  ///
  /// - Parameter elements: float32, of the same shape.
  /// - Throws: `WeightFormatError` for blocks, whose encoders are not here: a sum would be rounded to them anew.
  public func replacing(with elements: Tensor) throws(WeightFormatError) -> Weight {
    guard case .dense(let tensor) = self else { throw WeightFormatError(format: format) }
    return .dense(elements.converted(to: tensor.dtype))
  }

  /// The second operand of a product, `W` or its transpose.
  package func operand(transposed: Bool) -> WeightOperand {
    switch self {
    case .dense(let tensor): .elements(tensor.operand(transposed: transposed))
    case .blocks(let matrix as TransposedBlocks): .blocks(matrix.base, isTransposed: !transposed)
    case .blocks(let matrix): .blocks(matrix, isTransposed: transposed)
    }
  }

  /// The place on a tape; that of an untracked tensor for blocks, which are never trained.
  package var slot: Slot {
    switch self {
    case .dense(let tensor): tensor.slot
    case .blocks(let matrix): Slot(node: -1, tapeSerial: 0, shape: matrix.shape)
    }
  }

  /// True where the current tape wants this weight's gradient.
  package var isTracked: Bool { if case .dense(let tensor) = self { tensor.isTracked } else { false } }
}

/// A matrix stored in a block format, such as those of GGUF files.
///
/// A format is added as a type with this protocol: products, look-ups and decoding go through it alone.
public protocol BlockMatrix {
  /// `[rows, columns]`, rows being whole blocks.
  var shape: Shape { get }
  /// The format of the blocks.
  var format: ElementFormat { get }
  /// True where the bytes lie in a mapped file.
  var isMapped: Bool { get }
  /// The bytes of all blocks, and of what else decoding them needs.
  var byteCount: Int { get }
  /// Writes elements of a row as float32.
  ///
  /// - Parameters:
  ///   - columns: whole blocks.
  ///   - elements: `columns.count` of them.
  func decode(row: Int, columns: Range<Int>, into elements: inout MutableSpan<Float>)
}

/// A sum that a weight's format cannot take.
public struct WeightFormatError: UserError {
  /// The format that the weight is stored in.
  public let format: ElementFormat

  public var description: String { "is stored as \(format), which cannot take a sum; keep the adapter apart, or load the weights unquantized" }

  public var status: ErrorStatus { .usage }
}

extension BlockMatrix {
  public var byteCount: Int { format.bytes(for: shape.elementCount) }

  /// Consecutive rows as float32.
  package func decoded(rows: Range<Int>) -> Tensor { decoded(rows: rows, columns: 0..<shape[1]) }

  /// A part of the matrix as float32, decoded on all threads.
  /// - Parameter columns: whole blocks.
  package func decoded(rows: Range<Int>, columns: Range<Int>) -> Tensor {
    precondition(rows.lowerBound >= 0 && rows.upperBound <= shape[0] && columns.upperBound <= shape[1], "\(rows), \(columns) of \(shape)")
    let out = Tensor(uninitialized: [rows.count, columns.count])
    let base = out.mutablePointer
    parallel(over: rows.count, grain: rowGrain(columns: columns.count)) { part in
      for row in part { decode(row: rows.lowerBound + row, columns: columns, to: base + row * columns.count) }
    }
    return out
  }

  func decode(row: Int, columns: Range<Int>, to out: UnsafeMutablePointer<Float>) {
    var elements = MutableSpan(_unsafeStart: out, count: columns.count)
    decode(row: row, columns: columns, into: &elements)
  }
}
