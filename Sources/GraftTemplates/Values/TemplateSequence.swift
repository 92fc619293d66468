/// Python's `range`.
struct TemplateRange {
  let start: Int
  let stop: Int
  let step: Int
  let count: Int

  /// The sandbox's limit on the number of items.
  static let maximumCount = 100_000

  init(start: Int, stop: Int, step: Int) throws {
    guard step != 0 else { throw TemplateFailure(.value, "range() arg 3 must not be zero") }
    let (distance, overflows) =
      step > 0 ? stop.subtractingReportingOverflow(start) : start.subtractingReportingOverflow(stop)
    let magnitude = step.magnitude
    let count = distance <= 0 && !overflows ? 0 : overflows ? UInt.max : (UInt(distance) - 1) / magnitude + 1
    guard count <= UInt(Self.maximumCount) else {
      throw TemplateFailure(.limit, "Range too big. The sandbox blocks ranges larger than \(Self.maximumCount).")
    }
    self.start = start
    self.stop = stop
    self.step = step
    self.count = Int(count)
  }

  subscript(index: Int) -> TemplateValue { .integer(start + index * step) }

  var items: [TemplateValue] { (0..<count).map { self[$0] } }
}

/// An iteration in progress. Like Python's generators it can be walked once, and works only when asked.
final class TemplateIterator {
  let typeName: String
  /// The number of items in all, where that is known without walking.
  let knownCount: Int?
  /// The value that the items come from.
  let source: TemplateValue?
  private let advance: () throws -> TemplateValue?

  init(
    _ typeName: String, knownCount: Int? = nil, source: TemplateValue? = nil,
    advance: @escaping () throws -> TemplateValue?
  ) {
    self.typeName = typeName
    self.knownCount = knownCount
    self.source = source
    self.advance = advance
  }

  convenience init(_ typeName: String = "list_iterator", over items: [TemplateValue]) {
    var index = 0
    self.init(typeName, knownCount: items.count, source: .list(items)) {
      guard index < items.count else { return nil }
      index += 1
      return items[index - 1]
    }
  }

  func next() throws -> TemplateValue? { try advance() }
}

extension TemplateValue {
  /// The items of a container, or what is left of an iterator.
  func items() throws -> [TemplateValue] {
    switch self {
    case .list(let items), .tuple(let items): return items
    case .dictionary(let dictionary): return dictionary.keys
    case .view(let view): return view.items
    case .range(let range): return range.items
    case .string(let text), .markup(let text):
      let scalars = text.unicodeScalars
      try TemplateLimits.check(itemCount: scalars.count)
      try TemplateLimits.spend(scalars.count >> 4)
      return scalars.map { .string(String($0)) }
    case .undefined: return []
    case .iterator(let iterator):
      var items: [TemplateValue] = []
      while let item = try iterator.next() {
        try TemplateLimits.spend(1)
        try TemplateLimits.check(itemCount: items.count + 1)
        items.append(item)
      }
      return items
    default: throw TemplateFailure(.value, "'\(typeName)' object is not iterable")
    }
  }

  /// Python's `iter(value)`: the iterator itself, or a new one over a container.
  func makeIterator() throws -> TemplateIterator {
    if case .iterator(let iterator) = self { return iterator }
    return TemplateIterator(over: try items())
  }

  var isIterable: Bool {
    switch self {
    case .list, .tuple, .dictionary, .view, .range, .string, .markup, .undefined, .iterator, .loop: true
    default: false
    }
  }

  /// Python's `len(value)`, nil where it has none.
  var count: Int? {
    switch self {
    case .list(let items), .tuple(let items): items.count
    case .dictionary(let dictionary): dictionary.entries.count
    case .view(let view): view.dictionary.entries.count
    case .range(let range): range.count
    case .string(let text), .markup(let text): text.unicodeScalars.count
    case .undefined: 0
    case .loop(let loop): try? loop.count()
    default: nil
    }
  }

  func requiredCount() throws -> Int {
    guard let count else { throw TemplateFailure(.value, "object of type '\(typeName)' has no len()") }
    return count
  }

  /// Python's `value[start:stop:step]`.
  func sliced(start: TemplateValue?, stop: TemplateValue?, step: TemplateValue?) throws -> TemplateValue {
    switch self {
    case .list(let items):
      return .list(try Self.indices(items.count, start, stop, step).map { items[$0] })
    case .tuple(let items):
      return .tuple(try Self.indices(items.count, start, stop, step).map { items[$0] })
    case .range(let range):
      return .list(try Self.indices(range.count, start, stop, step).map { range[$0] })
    case .string(let text), .markup(let text):
      return like(try Self.sliced(text.unicodeScalars, start, stop, step))
    case .undefined(let reason): throw reason.failure
    case .dictionary: throw TemplateFailure(.value, "unhashable type: 'slice'")
    default: throw TemplateFailure(.value, "'\(typeName)' object is not subscriptable")
    }
  }

  private static func sliced(
    _ scalars: String.UnicodeScalarView, _ start: TemplateValue?, _ stop: TemplateValue?, _ step: TemplateValue?
  ) throws -> String {
    if try sliceBound(step) ?? 1 == 1 {
      let range = try bounds(scalars.count, start, stop)
      let first = scalars.index(scalars.startIndex, offsetBy: range.lowerBound)
      return String(scalars[first..<scalars.index(first, offsetBy: range.count)])
    }
    let all = Array(scalars)
    try TemplateLimits.check(itemCount: all.count)
    var result = String.UnicodeScalarView()
    for index in try indices(all.count, start, stop, step) { result.append(all[index]) }
    return String(result)
  }

  /// The range of `value[start:stop]`.
  private static func bounds(_ count: Int, _ start: TemplateValue?, _ stop: TemplateValue?) throws -> Range<Int> {
    func clamp(_ bound: Int) -> Int { max(0, min(count, bound < 0 ? bound + count : bound)) }
    let first = clamp(try sliceBound(start) ?? 0)
    return first..<max(first, clamp(try sliceBound(stop) ?? count))
  }

  private static func indices(
    _ count: Int, _ start: TemplateValue?, _ stop: TemplateValue?, _ step: TemplateValue?
  ) throws -> [Int] {
    let step = try sliceBound(step) ?? 1
    guard step != 0 else { throw TemplateFailure(.value, "slice step cannot be zero") }
    func clamp(_ bound: Int, _ lowest: Int, _ highest: Int) -> Int {
      max(lowest, min(highest, bound < 0 ? bound + count : bound))
    }
    if step > 0 {
      let range = try bounds(count, start, stop)
      return Array(Swift.stride(from: range.lowerBound, to: range.upperBound, by: step))
    }
    let first = try sliceBound(start).map { clamp($0, -1, count - 1) } ?? count - 1
    let end = try sliceBound(stop).map { clamp($0, -1, count - 1) } ?? -1
    return first > end ? Array(Swift.stride(from: first, to: end, by: step)) : []
  }

  private static func sliceBound(_ value: TemplateValue?) throws -> Int? {
    switch value {
    case nil, .some(.none): return nil
    case .bool(let flag): return flag ? 1 : 0
    case .integer(let bound): return bound
    default: throw TemplateFailure(.value, "slice indices must be integers or None or have an __index__ method")
    }
  }

  /// A string of the same kind: text stays text, markup stays markup.
  func like(_ text: String) -> TemplateValue {
    if case .markup = self { return .markup(text) }
    return .string(text)
  }
}
