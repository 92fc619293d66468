import Foundation

extension TemplateValue {
  /// Applies a binary operator as Python does.
  func applying(_ operation: TemplateOperator, _ other: TemplateValue) throws -> TemplateValue {
    if case .undefined(let reason) = self { throw reason.failure }
    if operation == .modulo, let format = text {
      return like(try PercentFormat.format(format, with: other, escaping: isMarkup))
    }
    if case .undefined(let reason) = other { throw reason.failure }
    if let left = wholeNumber, let right = other.wholeNumber { return try Self.integers(operation, left, right) }
    if let left = number, let right = other.number { return try Self.doubles(operation, left, right) }
    switch operation {
    case .add: if let sum = try adding(other) { return sum }
    case .multiply:
      if let count = other.wholeNumber, let product = try repeated(count) { return product }
      if let count = wholeNumber, let product = try other.repeated(count) { return product }
    default: break
    }
    let name = operation == .power ? "** or pow()" : operation.rawValue
    throw TemplateFailure(
      .value, "unsupported operand type(s) for \(name): '\(typeName)' and '\(other.typeName)'")
  }

  private var isMarkup: Bool {
    if case .markup = self { return true }
    return false
  }

  private func adding(_ other: TemplateValue) throws -> TemplateValue? {
    switch (self, other) {
    case (.string(let left), .string(let right)):
      try TemplateLimits.check(joining: [left, right])
      return .string(left + right)
    case (.markup, _) where other.text != nil, (.string, .markup):
      let texts = [escaped, other.escaped]
      try TemplateLimits.check(joining: texts)
      return .markup(texts.joined())
    case (.list(let left), .list(let right)):
      try TemplateLimits.check(itemCount: left.count + right.count)
      return .list(left + right)
    case (.tuple(let left), .tuple(let right)):
      try TemplateLimits.check(itemCount: left.count + right.count)
      return .tuple(left + right)
    case (.string, _), (.markup, _):
      throw TemplateFailure(.value, "can only concatenate str (not \"\(other.typeName)\") to str")
    case (.list, _):
      throw TemplateFailure(.value, "can only concatenate list (not \"\(other.typeName)\") to list")
    default: return nil
    }
  }

  private func repeated(_ count: Int) throws -> TemplateValue? {
    let count = max(0, count)
    switch self {
    case .string(let text), .markup(let text):
      try TemplateLimits.check(byteCount: text.utf8.count.multipliedReportingOverflow(by: count))
      return like(String(repeating: text, count: count))
    case .list(let items):
      try TemplateLimits.check(itemCount: items.count.multipliedReportingOverflow(by: count))
      return .list(Array(repeatElement(items, count: count).joined()))
    case .tuple(let items):
      try TemplateLimits.check(itemCount: items.count.multipliedReportingOverflow(by: count))
      return .tuple(Array(repeatElement(items, count: count).joined()))
    default: return nil
    }
  }

  func negated() throws -> TemplateValue {
    switch self {
    case .undefined(let reason): throw reason.failure
    case .double(let value): return .double(-value)
    default:
      guard let value = wholeNumber else {
        throw TemplateFailure(.value, "bad operand type for unary -: '\(typeName)'")
      }
      return try Self.integers(.subtract, 0, value)
    }
  }

  func unaryPlus() throws -> TemplateValue {
    switch self {
    case .undefined(let reason): throw reason.failure
    case .double: return self
    default:
      guard let value = wholeNumber else {
        throw TemplateFailure(.value, "bad operand type for unary +: '\(typeName)'")
      }
      return .integer(value)
    }
  }

  // MARK: Numbers

  private static func integers(_ operation: TemplateOperator, _ left: Int, _ right: Int) throws -> TemplateValue {
    let result: (partialValue: Int, overflow: Bool)
    switch operation {
    case .add: result = left.addingReportingOverflow(right)
    case .subtract: result = left.subtractingReportingOverflow(right)
    case .multiply: result = left.multipliedReportingOverflow(by: right)
    case .divide:
      guard right != 0 else { throw TemplateFailure(.value, "division by zero") }
      return .double(Double(left) / Double(right))
    case .floorDivide, .modulo:
      guard right != 0 else { throw TemplateFailure(.value, "integer division or modulo by zero") }
      guard right != -1 else { return operation == .modulo ? .integer(0) : try integers(.subtract, 0, left) }
      let (quotient, remainder) = left.quotientAndRemainder(dividingBy: right)
      let goesDown = remainder != 0 && (remainder < 0) != (right < 0)
      return .integer(
        operation == .modulo ? (goesDown ? remainder + right : remainder) : (goesDown ? quotient - 1 : quotient))
    case .power: return try power(left, right)
    }
    guard !result.overflow else { throw TemplateFailure(.limit, "an integer does not fit 64 bits") }
    return .integer(result.partialValue)
  }

  private static func power(_ base: Int, _ exponent: Int) throws -> TemplateValue {
    guard exponent >= 0 else { return try doubles(.power, Double(base), Double(exponent)) }
    if base == 0 || base == 1 { return .integer(exponent == 0 ? 1 : base) }
    if base == -1 { return .integer(exponent % 2 == 0 ? 1 : -1) }
    var result = 1
    for _ in 0..<exponent {
      let (product, overflow) = result.multipliedReportingOverflow(by: base)
      guard !overflow else { throw TemplateFailure(.limit, "an integer does not fit 64 bits") }
      result = product
    }
    return .integer(result)
  }

  private static func doubles(_ operation: TemplateOperator, _ left: Double, _ right: Double) throws -> TemplateValue {
    switch operation {
    case .add: return .double(left + right)
    case .subtract: return .double(left - right)
    case .multiply: return .double(left * right)
    case .divide:
      guard right != 0 else { throw TemplateFailure(.value, "float division by zero") }
      return .double(left / right)
    case .floorDivide, .modulo:
      guard right != 0 else { throw TemplateFailure(.value, "float floor division by zero") }
      let (quotient, remainder) = floorDivided(left, right)
      return .double(operation == .modulo ? remainder : quotient)
    case .power:
      guard left != 0 || right >= 0 else {
        throw TemplateFailure(.value, "0.0 cannot be raised to a negative power")
      }
      let result = pow(left, right)
      guard !result.isNaN || left.isNaN || right.isNaN, result.isFinite || !left.isFinite || !right.isFinite else {
        throw TemplateFailure(.value, "the power \(left) ** \(right) is not a finite real number")
      }
      return .double(result)
    }
  }

  /// Quotient and remainder whose sign follows the divisor, rounded as Python rounds them.
  private static func floorDivided(_ left: Double, _ right: Double) -> (quotient: Double, remainder: Double) {
    var remainder = fmod(left, right)
    var quotient = (left - remainder) / right
    if remainder != 0 {
      if (right < 0) != (remainder < 0) {
        remainder += right
        quotient -= 1
      }
    } else {
      remainder = Double(signOf: right, magnitudeOf: 0)
    }
    guard quotient != 0 else { return (Double(signOf: left / right, magnitudeOf: 0), remainder) }
    let floor = quotient.rounded(.down)
    return (quotient - floor > 0.5 ? floor + 1 : floor, remainder)
  }
}
