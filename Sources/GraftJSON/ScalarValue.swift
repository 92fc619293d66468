/// A value without parts, of JSON or of a configuration.
public enum ScalarValue: Sendable {
  /// Nothing.
  case null
  /// A truth value.
  case bool(Bool)
  /// A whole number.
  case integer(Int)
  /// Any other number.
  case number(Double)
  /// A text.
  case string(String)
}

/// A value of a tree: a scalar, or one with parts.
public protocol ScalarReadable {
  /// The value as a scalar; nil where it has parts.
  var scalar: ScalarValue? { get }
}

extension ScalarReadable {
  /// The text of a string, otherwise `nil`.
  @inlinable
  public var string: String? {
    if case .string(let value) = scalar { value } else { nil }
  }

  /// The value of an integer, or of a number such as `2.0` or `1e3` that equals one; otherwise `nil`.
  @inlinable
  public var int: Int? {
    switch scalar {
    case .integer(let value): value
    case .number(let value): Int(exactly: value)
    default: nil
    }
  }

  /// The value of an integer or a number, otherwise `nil`.
  @inlinable
  public var double: Double? {
    switch scalar {
    case .integer(let value): Double(value)
    case .number(let value): value
    default: nil
    }
  }

  /// The value of `true` or `false`, otherwise `nil`.
  @inlinable
  public var bool: Bool? {
    if case .bool(let value) = scalar { value } else { nil }
  }

  /// True where the value is `null`.
  @inlinable
  public var isNull: Bool {
    if case .null = scalar { true } else { false }
  }
}

extension ScalarValue: ScalarReadable {
  public var scalar: ScalarValue? { self }
}

extension ScalarValue: Equatable {
  /// Numbers are equal by value, whether written `1` or `1.0`; strings when their scalars are, not merely canonically equivalent.
  public static func == (left: ScalarValue, right: ScalarValue) -> Bool {
    switch (left, right) {
    case (.null, .null): true
    case (.bool(let a), .bool(let b)): a == b
    case (.string(let a), .string(let b)): a.utf8.elementsEqual(b.utf8)
    case (.integer(let a), .integer(let b)): a == b
    case (.number(let a), .number(let b)): a == b || (a.isNaN && b.isNaN)
    case (.integer(let a), .number(let b)), (.number(let b), .integer(let a)): Int(exactly: b) == a
    default: false
    }
  }
}
