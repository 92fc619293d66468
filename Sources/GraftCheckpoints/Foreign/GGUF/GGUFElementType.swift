/// How ggml stores the elements of a tensor: singly, or quantized in blocks.
public enum GGUFElementType: UInt32, Sendable, CaseIterable {
  case f32 = 0, f16, q4_0, q4_1
  case q5_0 = 6, q5_1, q8_0, q8_1, q2_K, q3_K, q4_K, q5_K, q6_K, q8_K
  case iq2_XXS, iq2_XS, iq3_XXS, iq1_S, iq4_NL, iq3_S, iq2_S, iq4_XS
  case i8, i16, i32, i64, f64, iq1_M, bf16
  case tq1_0 = 34, tq2_0
  case mxfp4 = 39

  /// The name that ggml's programs print, such as `Q4_K`.
  public var name: String { self == .bf16 ? "BF16" : "\(self)".uppercased() }

  /// The type whose elements are stored singly in the same way; nil for blocks.
  public var elementType: ElementType? {
    switch self {
    case .f32: .float32
    case .f16: .float16
    case .bf16: .bfloat16
    case .f64: .float64
    case .i8: .int8
    case .i16: .int16
    case .i32: .int32
    case .i64: .int64
    default: nil
    }
  }

  /// The type that stores `elementType` as it is; nil where ggml has none.
  init?(_ elementType: ElementType) {
    guard let type = Self.allCases.first(where: { $0.elementType == elementType }) else { return nil }
    self = type
  }

  /// How many elements a block has, and how many bytes it takes.
  var block: (elements: Int, bytes: Int) {
    switch self {
    case .f32, .i32: (1, 4)
    case .f16, .bf16, .i16: (1, 2)
    case .f64, .i64: (1, 8)
    case .i8: (1, 1)
    case .q4_0, .iq4_NL: (32, 18)
    case .q4_1: (32, 20)
    case .q5_0: (32, 22)
    case .q5_1: (32, 24)
    case .q8_0: (32, 34)
    case .q8_1: (32, 40)
    case .mxfp4: (32, 17)
    case .q2_K: (256, 84)
    case .q3_K, .iq3_S: (256, 110)
    case .q4_K: (256, 144)
    case .q5_K: (256, 176)
    case .q6_K: (256, 210)
    case .q8_K: (256, 292)
    case .iq2_XXS, .tq2_0: (256, 66)
    case .iq2_XS: (256, 74)
    case .iq3_XXS: (256, 98)
    case .iq1_S: (256, 50)
    case .iq2_S: (256, 82)
    case .iq4_XS: (256, 136)
    case .iq1_M: (256, 56)
    case .tq1_0: (256, 54)
    }
  }

  /// The bytes of a tensor of this shape, whose rows are whole blocks; nil where they are not, or overflow.
  func byteCount(of shape: [Int]) -> Int? {
    var count = 1
    for dimension in shape {
      let (next, overflow) = count.multipliedReportingOverflow(by: dimension)
      guard !overflow else { return nil }
      count = next
    }
    guard (shape.last ?? 1) % block.elements == 0 else { return nil }
    let (bytes, overflow) = (count / block.elements).multipliedReportingOverflow(by: block.bytes)
    return overflow ? nil : bytes
  }
}
