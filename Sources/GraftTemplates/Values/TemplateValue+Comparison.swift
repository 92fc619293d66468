extension TemplateValue {
  /// The value as a number where Python counts it as one.
  var number: Double? {
    switch self {
    case .bool(let value): value ? 1 : 0
    case .integer(let value): Double(value)
    case .double(let value): value
    default: nil
    }
  }

  /// The value as a whole number, where it is an `int` or a `bool`.
  var wholeNumber: Int? {
    switch self {
    case .bool(let value): value ? 1 : 0
    case .integer(let value): value
    default: nil
    }
  }

  /// Python's `==`.
  func equals(_ other: TemplateValue) -> Bool {
    if let left = wholeNumber, let right = other.wholeNumber { return left == right }
    if let left = number, let right = other.number {
      guard left == right else { return false }
      // Doubles may agree where an integer beyond 2^53 does not.
      if let whole = wholeNumber { return Int(exactly: right) == whole }
      if let whole = other.wholeNumber { return Int(exactly: left) == whole }
      return true
    }
    if let left = text, let right = other.text { return PythonText.equal(left, right) }
    switch (self, other) {
    case (.undefined, .undefined), (.none, .none): return true
    case (.list(let left), .list(let right)), (.tuple(let left), .tuple(let right)):
      return left.count == right.count && TemplateMeter.allows(left.count) && zip(left, right).allSatisfy { $0.equals($1) }
    case (.dictionary(let left), .dictionary(let right)):
      return left.entries.count == right.entries.count && TemplateMeter.allows(left.entries.count)
        && left.entries.allSatisfy { entry in right[entry.key].map(entry.value.equals) ?? false }
    case (.range(let left), .range(let right)):
      return left.count == right.count
        && (left.count == 0 || left.start == right.start && (left.count == 1 || left.step == right.step))
    case (.view(let left), .view(let right)):
      return left.kind == right.kind && left.kind != .values && TemplateMeter.allows(left.items.count * right.items.count)
        && left.items.count == right.items.count
        && left.items.allSatisfy { item in right.items.contains { $0.equals(item) } }
    case (.namespace(let left), .namespace(let right)): return left === right
    case (.iterator(let left), .iterator(let right)): return left === right
    case (.loop(let left), .loop(let right)): return left === right
    case (.function(let left), .function(let right)): return left === right
    default: return false
    }
  }

  /// Python's `<`.
  func isLess(than other: TemplateValue, symbol: String = "<") throws -> Bool {
    if let left = wholeNumber, let right = other.wholeNumber { return left < right }
    if let left = number, let right = other.number {
      if left == right, let whole = wholeNumber, let exact = Int(exactly: right) { return whole < exact }
      if left == right, let whole = other.wholeNumber, let exact = Int(exactly: left) { return exact < whole }
      return left < right
    }
    if let left = text, let right = other.text { return PythonText.less(left, right) }
    switch (self, other) {
    case (.undefined(let reason), _), (_, .undefined(let reason)): throw reason.failure
    case (.list(let left), .list(let right)), (.tuple(let left), .tuple(let right)):
      try TemplateLimits.spend(min(left.count, right.count))
      for (one, another) in zip(left, right) where !one.equals(another) {
        return try one.isLess(than: another, symbol: symbol)
      }
      return left.count < right.count
    default:
      throw TemplateFailure(
        .value, "'\(symbol)' not supported between instances of '\(typeName)' and '\(other.typeName)'")
    }
  }

  /// Python's `item in self`.
  func contains(_ item: TemplateValue) throws -> Bool {
    switch self {
    case .string(let text), .markup(let text):
      guard let needle = item.text else {
        throw TemplateFailure(.value, "'in <string>' requires string as left operand, not \(item.typeName)")
      }
      return PythonText.contains(text, needle)
    case .dictionary(let dictionary):
      try item.checkHashable()
      return dictionary[item] != nil
    case .iterator(let iterator):
      while let next = try iterator.next() { if next.equals(item) { return true } }
      return false
    case .list, .tuple, .view, .range, .undefined:
      return try items().contains { candidate in
        try TemplateLimits.spend(1 + item.weight)
        return candidate.equals(item)
      }
    default:
      throw TemplateFailure(.value, "argument of type '\(typeName)' is not iterable")
    }
  }

  func compare(_ comparison: TemplateComparison, _ other: TemplateValue) throws -> Bool {
    let isUnordered = number?.isNaN ?? false || other.number?.isNaN ?? false
    switch comparison {
    case .equal: return equals(other)
    case .notEqual: return !equals(other)
    case .less: return try isLess(than: other)
    case .greater: return try other.isLess(than: self, symbol: ">")
    case .lessOrEqual:
      let isGreater = try other.isLess(than: self, symbol: "<=")
      return !isGreater && !isUnordered
    case .greaterOrEqual:
      let isLess = try isLess(than: other, symbol: ">=")
      return !isLess && !isUnordered
    case .contained: return try other.contains(self)
    case .notContained: return try !other.contains(self)
    }
  }

  /// Python's `is`, as far as values without identity allow it.
  func isSame(as other: TemplateValue) -> Bool {
    typeName == other.typeName && equals(other)
  }

  /// Python's stable `sorted` by one key per item.
  static func sorted(_ items: [TemplateValue], keys: [TemplateValue], descending: Bool) throws -> [TemplateValue] {
    let size = items.count + keys.reduce(0) { $0 + $1.weight }
    try TemplateLimits.spend(size.multipliedReportingOverflow(by: Int.bitWidth - items.count.leadingZeroBitCount).partialValue)
    let order = try items.indices.sorted { left, right in
      let (first, second) = descending ? (right, left) : (left, right)
      if try keys[first].isLess(than: keys[second]) { return true }
      if try keys[second].isLess(than: keys[first]) { return false }
      return left < right
    }
    return order.map { items[$0] }
  }
}
