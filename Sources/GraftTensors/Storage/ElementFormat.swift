/// The format of a tensor's or weight's elements: a value, not a type parameter, so that precision is a run-time choice.
///
/// Elements are stored singly, or in blocks that share a scale, as ggml names and lays them out (`ggml-common.h`).
public enum ElementFormat: UInt8, Sendable, Hashable, CaseIterable {
  /// Floating-point numbers.
  case float32, bfloat16, float16, float64
  /// Whole numbers and truth values.
  case int64, int32, int16, int8, uint8, bool
  /// GGML's blocks of 32 values, of 4, 5 and 8 bits.
  case q4_0, q4_1, q5_0, q5_1, q8_0, q8_1
  /// GGML's superblocks of 256 values with scales of their own, of 2 to 8 bits.
  case q2_K, q3_K, q4_K, q5_K, q6_K, q8_K
  /// GGML's blocks whose values are entries of tables, of 1.5 to 4 bits.
  case iq1_S, iq1_M, iq2_XXS, iq2_XS, iq2_S, iq3_XXS, iq3_S, iq4_NL, iq4_XS
  /// GGML's ternary values, and OCP's microscaled 4-bit floating-point numbers.
  case tq1_0, tq2_0, mxfp4
  /// bitsandbytes' codes of 4 bits in blocks of 64 whose factors have 8 bits, bytes with a factor a row, and codes of 8 bits in blocks.
  case nf4, fp4, rowScaledInt8, dynamicInt8
  /// Floating-point numbers of 8 bits in squares of 128 rows and columns, as DeepSeek-V3 has them.
  case float8Squares
  /// Whole numbers of 4 and 8 bits whose groups along the inputs have a scale and a zero point for each output, as of GPTQ and AWQ.
  case groupedInt4, groupedInt8

  /// The number of elements in a block; 1 where elements are stored singly.
  public var blockLength: Int {
    switch self {
    case .float32, .bfloat16, .float16, .float64, .int64, .int32, .int16, .int8, .uint8, .bool: 1
    case .q4_0, .q4_1, .q5_0, .q5_1, .q8_0, .q8_1, .iq4_NL, .mxfp4: 32
    case .nf4, .fp4, .rowScaledInt8: 64
    case .float8Squares, .groupedInt4, .groupedInt8: 128
    case .dynamicInt8: 4096
    case .q2_K, .q3_K, .q4_K, .q5_K, .q6_K, .q8_K, .tq1_0, .tq2_0: 256
    case .iq1_S, .iq1_M, .iq2_XXS, .iq2_XS, .iq2_S, .iq3_XXS, .iq3_S, .iq4_XS: 256
    }
  }

  /// The bytes of a block: those of one element where elements are stored singly.
  public var bytesPerBlock: Int {
    switch self {
    case .float64, .int64: 8
    case .float32, .int32: 4
    case .bfloat16, .float16, .int16: 2
    case .int8, .uint8, .bool: 1
    case .nf4, .fp4: 33
    case .rowScaledInt8: 64
    case .dynamicInt8: 4100
    case .float8Squares: 128
    case .groupedInt4: 67
    case .groupedInt8: 131
    case .q4_0, .iq4_NL: 18
    case .q4_1: 20
    case .q5_0: 22
    case .q5_1: 24
    case .q8_0: 34
    case .q8_1: 40
    case .mxfp4: 17
    case .q2_K: 84
    case .q3_K, .iq3_S: 110
    case .q4_K: 144
    case .q5_K: 176
    case .q6_K: 210
    case .q8_K: 292
    case .iq2_XXS, .tq2_0: 66
    case .iq2_XS: 74
    case .iq3_XXS: 98
    case .iq1_S: 50
    case .iq2_S: 82
    case .iq4_XS: 136
    case .iq1_M: 56
    case .tq1_0: 54
    }
  }

  /// The bytes of consecutive elements.
  /// - Precondition: whole blocks.
  public func bytes(for count: Int) -> Int {
    let length = blockLength
    if length == 1 { return count * bytesPerBlock }
    precondition(count % length == 0, "\(count) elements in blocks of \(length)")
    return count / length * bytesPerBlock
  }

  /// The bytes of a tensor whose shape a file or a person chose; nil where its rows are not whole blocks, or the bytes overflow.
  public func byteCount(of shape: [Int]) -> Int? {
    var count = 1
    for dimension in shape {
      let (next, overflow) = count.multipliedReportingOverflow(by: dimension)
      guard !overflow else { return nil }
      count = next
    }
    guard (shape.last ?? 1) % blockLength == 0 else { return nil }
    let (bytes, overflow) = (count / blockLength).multipliedReportingOverflow(by: bytesPerBlock)
    return overflow ? nil : bytes
  }

  /// True where a row begins with a block, and ends with one: ggml's blocks.
  var hasWholeRows: Bool { (Self.q4_0.rawValue...Self.mxfp4.rawValue).contains(rawValue) }

  /// True where elements are floating-point numbers that are stored singly.
  public var isFloatingPoint: Bool {
    switch self {
    case .float32, .bfloat16, .float16, .float64: true
    default: false
    }
  }
}

extension ElementFormat: CustomStringConvertible {
  public var description: String {
    switch self {
    case .float32: "float32"
    case .bfloat16: "bfloat16"
    case .float16: "float16"
    case .float64: "float64"
    case .int64: "int64"
    case .int32: "int32"
    case .int16: "int16"
    case .int8: "int8"
    case .uint8: "uint8"
    case .bool: "bool"
    case .nf4: "nf4"
    case .fp4: "fp4"
    case .rowScaledInt8: "int8"
    case .dynamicInt8: "int8_blockwise"
    case .float8Squares: "fp8_e4m3"
    case .groupedInt4: "int4_grouped"
    case .groupedInt8: "int8_grouped"
    default: ggmlName
    }
  }

  /// The name that ggml's programs print, such as `Q4_K`.
  public var ggmlName: String {
    switch self {
    case .float32: "F32"
    case .float16: "F16"
    case .float64: "F64"
    case .int8: "I8"
    case .int16: "I16"
    case .int32: "I32"
    case .int64: "I64"
    case .bfloat16: "BF16"
    case .uint8: "U8"
    case .bool: "BOOL"
    case .nf4: "NF4"
    case .fp4: "FP4"
    case .rowScaledInt8: "I8 BY ROW"
    case .dynamicInt8: "I8 BY BLOCK"
    case .float8Squares: "F8_E4M3 BY SQUARE"
    case .groupedInt4: "I4 BY GROUP"
    case .groupedInt8: "I8 BY GROUP"
    case .q4_0, .q4_1, .q5_0, .q5_1, .q8_0, .q8_1, .q2_K, .q3_K, .q4_K, .q5_K, .q6_K, .q8_K, .iq1_S, .iq1_M, .iq2_XXS, .iq2_XS, .iq2_S, .iq3_XXS,
      .iq3_S, .iq4_NL, .iq4_XS, .tq1_0, .tq2_0, .mxfp4:
      Self.blockNames[Int(rawValue - Self.q4_0.rawValue)]
    }
  }

  /// In the order of the cases.
  private static let blockNames = [
    "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q8_1", "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K", "Q8_K", "IQ1_S", "IQ1_M", "IQ2_XXS", "IQ2_XS", "IQ2_S",
    "IQ3_XXS", "IQ3_S", "IQ4_NL", "IQ4_XS", "TQ1_0", "TQ2_0", "MXFP4",
  ]

  /// The format of single elements that recipes and checkpoints call `name`, such as `bfloat16`.
  public init?(named name: String) {
    guard let format = Self.allCases.first(where: { $0.blockLength == 1 && $0.description == name }) else { return nil }
    self = format
  }
}
