import GraftTensors

/// The encoding of a stored tensor's elements, under its name in safetensors files; little-endian throughout.
///
/// The order of the cases is the one safetensors writers sort by, last first.
public enum ElementType: String, CaseIterable, Sendable {
  /// A truth value in a byte.
  case bool = "BOOL"
  /// Two numbers in a byte.
  case float4 = "F4"
  /// Floating-point numbers of 6 bits, 2 of them exponent.
  case float6E2M3 = "F6_E2M3"
  /// Floating-point numbers of 6 bits, 3 of them exponent.
  case float6E3M2 = "F6_E3M2"
  /// A byte.
  case uint8 = "U8"
  /// A byte with a sign.
  case int8 = "I8"
  /// Floating-point numbers of 8 bits, 5 of them exponent.
  case float8E5M2 = "F8_E5M2"
  /// Floating-point numbers of 8 bits, 4 of them exponent.
  case float8E4M3 = "F8_E4M3"
  /// Powers of two in 8 bits, the scales of microscaled blocks.
  case float8E8M0 = "F8_E8M0"
  /// The same as `float8E4M3` with an exponent bias of 8 in place of 7, and the one NaN in the place of the negative zero.
  case float8E4M3FNUZ = "F8_E4M3FNUZ"
  /// The same as `float8E5M2` with an exponent bias of 16 in place of 15, without infinities, and the one NaN in the place of the negative zero.
  case float8E5M2FNUZ = "F8_E5M2FNUZ"
  /// Whole numbers of 16 bits.
  case int16 = "I16"
  /// Whole numbers of 16 bits without a sign.
  case uint16 = "U16"
  /// IEEE half precision.
  case float16 = "F16"
  /// The upper half of float32.
  case bfloat16 = "BF16"
  /// Whole numbers of 32 bits.
  case int32 = "I32"
  /// Whole numbers of 32 bits without a sign.
  case uint32 = "U32"
  /// IEEE single precision.
  case float32 = "F32"
  /// Complex numbers of two float32.
  case complex64 = "C64"
  /// IEEE double precision.
  case float64 = "F64"
  /// Whole numbers of 64 bits.
  case int64 = "I64"
  /// Whole numbers of 64 bits without a sign.
  case uint64 = "U64"

  /// The encoding of a tensor's elements in memory, which is also how they are stored.
  public init(_ dtype: ElementFormat) {
    switch dtype {
    case .bool: self = .bool
    case .uint8: self = .uint8
    case .int8: self = .int8
    case .int16: self = .int16
    case .float16: self = .float16
    case .bfloat16: self = .bfloat16
    case .int32: self = .int32
    case .float32: self = .float32
    case .float64: self = .float64
    case .int64: self = .int64
    default: preconditionFailure("no tensor has elements of \(dtype)")
    }
  }

  /// The type of a tensor over such elements; `nil` where the engine has none.
  public var dtype: ElementFormat? {
    switch self {
    case .bool: .bool
    case .uint8: .uint8
    case .int8: .int8
    case .int16: .int16
    case .float16: .float16
    case .bfloat16: .bfloat16
    case .int32: .int32
    case .float32: .float32
    case .float64: .float64
    case .int64: .int64
    default: nil
    }
  }

  /// The size of one element in bits.
  public var bitWidth: Int {
    switch self {
    case .float4: 4
    case .float6E2M3, .float6E3M2: 6
    case .bool, .uint8, .int8, .float8E5M2, .float8E4M3, .float8E8M0, .float8E4M3FNUZ, .float8E5M2FNUZ: 8
    case .int16, .uint16, .float16, .bfloat16: 16
    case .int32, .uint32, .float32: 32
    case .complex64, .float64, .int64, .uint64: 64
    }
  }

  /// The bytes of a tensor of this shape; `nil` where they overflow or are not a whole number.
  func byteCount(of shape: [Int]) -> Int? {
    var product = bitWidth
    for dimension in shape {
      let (next, overflow) = product.multipliedReportingOverflow(by: dimension)
      guard !overflow else { return nil }
      product = next
    }
    return product % 8 == 0 ? product / 8 : nil
  }

  /// The rank of this type in the order in which writers put tensors: the larger, the earlier.
  var writingRank: Int { Self.ranks[self] ?? 0 }

  private static let ranks = Dictionary(uniqueKeysWithValues: zip(allCases, 0...))
}
