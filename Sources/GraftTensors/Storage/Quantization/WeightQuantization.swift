import GraftErrors

/// A way to store the frozen matrices of a model in few bits.
public enum WeightQuantization: String, Sendable, CaseIterable {
  /// Codes of 4 bits in blocks of 64, whose factors have 8 bits themselves, as bitsandbytes stores them with double quantization.
  case nf4, fp4
  /// Bytes with a factor a row, as bitsandbytes' LLM.int8() stores them.
  case int8
  /// Codes of 8 bits in blocks of 4096, as bitsandbytes quantizes blockwise.
  case int8Blockwise = "int8_blockwise"
  /// ggml's blocks of 32 numbers of 8 and 4 bits with a scale.
  case q8_0, q4_0
  /// ggml's superblocks of 256 numbers of 4 bits; in rows that are not whole superblocks, Q5_0.
  case q4K = "q4_k"
  /// ggml's superblocks of 256 numbers of 6 bits; in rows that are not whole superblocks, Q8_0.
  case q6K = "q6_k"
  /// OCP's blocks of 32 floating-point numbers of 4 bits with a power of two.
  case mxfp4
  /// Floating-point numbers of 8 bits in squares of 128 rows and columns.
  case fp8E4M3 = "fp8_e4m3"

  /// The format of a matrix with such rows; nil where they are no whole blocks, and the matrix stays as it is.
  public func format(columns: Int) -> ElementFormat? { formats.first { !$0.hasWholeRows || columns % $0.blockLength == 0 } }

  /// The formats of matrices, the usual one first.
  private var formats: [ElementFormat] {
    switch self {
    case .nf4: [.nf4]
    case .fp4: [.fp4]
    case .int8: [.rowScaledInt8]
    case .int8Blockwise: [.dynamicInt8]
    case .q8_0: [.q8_0]
    case .q4_0: [.q4_0]
    case .q4K: [.q4_K, .q5_0]
    case .q6K: [.q6_K, .q8_0]
    case .mxfp4: [.mxfp4]
    case .fp8E4M3: [.float8Squares]
    }
  }

  /// The quantization that has blocks of this format; nil for one that has no encoder here.
  public init?(of format: ElementFormat) {
    guard let quantization = Self.allCases.first(where: { $0.formats[0] == format }) else { return nil }
    self = quantization
  }

  /// The matrix nearest to the elements in this format.
  ///
  /// - Parameter matrix: `[rows, columns]`, in any floating-point format. Where it lies in a mapped file, its pages are given back as they
  ///   are read.
  /// - Throws: `NonFiniteWeightError` where elements are not finite.
  /// - Precondition: there is a format for so many columns.
  public func encode(_ matrix: Tensor) throws(NonFiniteWeightError) -> any BlockMatrix {
    switch self {
    case .nf4: return try FourBitMatrix(encoding: matrix, as: .normalFloat)
    case .fp4: return try FourBitMatrix(encoding: matrix, as: .float)
    case .int8: return try RowScaledMatrix(encoding: matrix)
    case .int8Blockwise: return try DynamicMatrix(encoding: matrix)
    case .fp8E4M3: return try SquareScaledMatrix(encoding: matrix)
    case .q8_0, .q4_0, .q4K, .q6K, .mxfp4:
      guard let format = format(columns: matrix.shape[1]) else { preconditionFailure("\(matrix.shape) as \(self)") }
      return try GGMLMatrix(encoding: matrix, as: format)
    }
  }
}

extension WeightQuantization: CustomStringConvertible {
  public var description: String { rawValue }
}

/// A matrix that holds what no quantized number stands for.
public struct NonFiniteWeightError: UserError {
  /// The format that was to be.
  public let format: ElementFormat

  public var description: String { "holds values that are not finite, or beyond the range of \(format); load it unquantized" }

  public var status: ErrorStatus { .malformedInput }
}
