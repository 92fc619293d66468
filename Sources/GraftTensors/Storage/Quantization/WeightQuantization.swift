import GraftErrors

/// A way to store the frozen matrices of a model in few bits.
public enum WeightQuantization: String, Sendable, CaseIterable {
  /// Codes of 4 bits in blocks of 64, whose factors have 8 bits themselves, as bitsandbytes stores them with double quantization.
  case nf4, fp4
  /// Bytes with a factor a row, as bitsandbytes' LLM.int8() stores them.
  case int8

  /// The matrix nearest to the elements in this format.
  ///
  /// - Parameter matrix: `[rows, columns]`, in any floating-point format. Where it lies in a mapped file, its pages are given back as they
  ///   are read.
  /// - Throws: `NonFiniteWeightError` where elements are not finite.
  public func encode(_ matrix: Tensor) throws(NonFiniteWeightError) -> any BlockMatrix {
    switch self {
    case .nf4: try FourBitMatrix(encoding: matrix, as: .normalFloat)
    case .fp4: try FourBitMatrix(encoding: matrix, as: .float)
    case .int8: try RowScaledMatrix(encoding: matrix)
    }
  }
}

/// A matrix that holds what no quantized number stands for.
public struct NonFiniteWeightError: UserError {
  /// The format that was to be.
  public let format: ElementFormat

  public var description: String { "holds values that are not finite, or beyond the range of \(format); load it unquantized" }

  public var status: ErrorStatus { .malformedInput }
}
