/// The type of a tensor's elements: a value, not a type parameter, so that precision is a run-time choice.
public enum ElementFormat: UInt8, Sendable, Hashable, CaseIterable {
  case float32, bfloat16, float16, float64
  case int64, int32, int16, int8, uint8, bool

  /// Bytes of one element.
  public var byteWidth: Int {
    switch self {
    case .float64, .int64: 8
    case .float32, .int32: 4
    case .bfloat16, .float16, .int16: 2
    case .int8, .uint8, .bool: 1
    }
  }

  public var isFloatingPoint: Bool {
    switch self {
    case .float32, .bfloat16, .float16, .float64: true
    case .int64, .int32, .int16, .int8, .uint8, .bool: false
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
    }
  }

  /// The type that recipes and checkpoints call `name`, such as `bfloat16`.
  public init?(named name: String) {
    guard let type = Self.allCases.first(where: { $0.description == name }) else { return nil }
    self = type
  }
}
