/// A JSON value that keeps what text says: key order, and the difference between `1` and `1.0`.
public enum JSON: Sendable {
  /// `null`.
  case null
  /// `true` or `false`.
  case bool(Bool)
  /// A number written without fraction or exponent that fits an `Int`.
  case integer(Int)
  /// Any other number.
  case number(Double)
  /// A text.
  case string(String)
  /// A list of values.
  case array([JSON])
  /// Members in the order in which they stand.
  case object(JSONObject)
}

extension JSON: ScalarReadable {
  /// The same value where it has no parts, otherwise `nil`.
  @inlinable
  public var scalar: ScalarValue? {
    switch self {
    case .null: .null
    case .bool(let value): .bool(value)
    case .integer(let value): .integer(value)
    case .number(let value): .number(value)
    case .string(let value): .string(value)
    case .array, .object: nil
    }
  }

  /// A value without parts.
  public init(_ scalar: ScalarValue) {
    switch scalar {
    case .null: self = .null
    case .bool(let value): self = .bool(value)
    case .integer(let value): self = .integer(value)
    case .number(let value): self = .number(value)
    case .string(let value): self = .string(value)
    }
  }

  /// The elements of an array, otherwise `nil`.
  public var array: [JSON]? {
    if case .array(let value) = self { value } else { nil }
  }

  /// The members of an object, otherwise `nil`.
  public var object: JSONObject? {
    if case .object(let value) = self { value } else { nil }
  }

  /// The words of error messages for a value of this kind: "an integer", "a string", ...
  public var kindDescription: String {
    switch self {
    case .null: "null"
    case .bool: "a boolean"
    case .integer: "an integer"
    case .number: "a number"
    case .string: "a string"
    case .array: "an array"
    case .object: "an object"
    }
  }

  /// The member called `key`; `nil` when there is none or the value is no object.
  /// Assigning to a value that is no object makes it one.
  public subscript(key: String) -> JSON? {
    get { object?[key] }
    set {
      var members = object ?? JSONObject()
      self = .null  // gives up this value's reference, so that the members are changed in place
      members[key] = newValue
      self = .object(members)
    }
  }

  /// The element at `index`; `nil` when there is none or the value is no array.
  public subscript(index: Int) -> JSON? {
    guard case .array(let elements) = self, elements.indices.contains(index) else { return nil }
    return elements[index]
  }
}

extension JSON: Equatable {
  /// Objects are equal whatever the order of their members, scalars as `ScalarValue` has it.
  public static func == (left: JSON, right: JSON) -> Bool {
    switch (left, right) {
    case (.array(let a), .array(let b)): a == b
    case (.object(let a), .object(let b)): a == b
    default: left.scalar.map { $0 == right.scalar } ?? false
    }
  }
}

extension JSON: ExpressibleByBooleanLiteral, ExpressibleByIntegerLiteral, ExpressibleByFloatLiteral,
  ExpressibleByStringInterpolation, ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral
{
  public init(booleanLiteral value: Bool) { self = .bool(value) }
  public init(integerLiteral value: Int) { self = .integer(value) }
  public init(floatLiteral value: Double) { self = .number(value) }
  public init(stringLiteral value: String) { self = .string(value) }
  public init(arrayLiteral elements: JSON...) { self = .array(elements) }
  public init(dictionaryLiteral elements: (String, JSON)...) {
    var members = JSONObject()
    for (key, value) in elements { members[key] = value }
    self = .object(members)
  }
}
