import GraftConfiguration
import GraftErrors
import GraftJSON

/// A `config.json` that cannot be built from.
public struct ArchitectureError: UserError {
  public let description: String

  /// - Parameter description: one line that names the file and the key.
  public init(_ description: String) { self.description = description }

  public var status: ErrorStatus { .malformedInput }
}

/// The keys of a `config.json`, read with their types and within bounds; messages name the file and the key.
///
/// No number leaves it that could overflow in what is computed from it: whole numbers fit 31 bits, layers and labels are
/// as many as a list can have, and numbers are finite.
public struct ArchitectureConfiguration {
  /// The document.
  public let json: JSON
  /// The file or recipe section, for messages.
  public let source: String
  /// True for one that `resolved(as:)` made.
  let isResolved: Bool

  /// - Parameter source: the file or recipe section, for messages.
  public init(_ json: JSON, source: String) { self.init(json, source: source, isResolved: false) }

  init(_ json: JSON, source: String, isResolved: Bool) {
    (self.json, self.source, self.isResolved) = (json, source, isResolved)
  }

  /// The largest whole number that a configuration may hold.
  static let largestInteger = Int(Int32.max)
  /// The most things that a list with one entry for each is made of: layers, labels.
  static let largestListCount = 65_536

  /// Returns true for a key with a value other than null.
  public func contains(_ key: String) -> Bool { json[key].map { !$0.isNull } ?? false }

  /// Returns a whole number of less than 31 bits.
  /// - Throws: `ArchitectureError` where it is missing or no such number.
  public func int(_ key: String) throws(ArchitectureError) -> Int {
    let value = try required(key, "a whole number", json[key]?.int)
    guard -Self.largestInteger...Self.largestInteger ~= value else { throw fail(key, "\(value) is out of range; it must be below 2^31") }
    return value
  }

  /// Returns a whole number of less than 31 bits, or `value` where the key is missing or null.
  public func int(_ key: String, default value: Int) throws(ArchitectureError) -> Int { contains(key) ? try int(key) : value }

  /// Returns a whole number of less than 31 bits, or nil where the key is missing or null.
  public func optionalInt(_ key: String) throws(ArchitectureError) -> Int? { contains(key) ? try int(key) : nil }

  /// A number of things, at least one.
  public func count(_ key: String) throws(ArchitectureError) -> Int { try positive(key, try int(key)) }

  /// Returns a number of things, at least one: `value` where the key is missing or null.
  public func count(_ key: String, default value: Int) throws(ArchitectureError) -> Int { try positive(key, try int(key, default: value)) }

  /// Returns a number of things, at least one, or nil where the key is missing or null.
  public func optionalCount(_ key: String) throws(ArchitectureError) -> Int? { contains(key) ? try count(key) : nil }

  /// A number of things that a list is made of: one entry a layer, or a label.
  public func listCount(_ key: String) throws(ArchitectureError) -> Int {
    let value = try count(key)
    guard value <= Self.largestListCount else { throw fail(key, "\(value) is out of range; it must be at most \(Self.largestListCount)") }
    return value
  }

  /// Returns a finite number.
  /// - Throws: `ArchitectureError` where it is missing, or too large for float32.
  public func float(_ key: String) throws(ArchitectureError) -> Float {
    let value = Float(try required(key, "a number", json[key]?.double))
    guard value.isFinite else { throw fail(key, "is not finite; give a number that float32 can hold") }
    return value
  }

  /// Returns a finite number, or `value` where the key is missing or null.
  public func float(_ key: String, default value: Float) throws(ArchitectureError) -> Float { contains(key) ? try float(key) : value }

  /// A number above 0, such as a factor that is divided by.
  public func positiveFloat(_ key: String) throws(ArchitectureError) -> Float {
    let value = try float(key)
    guard value > 0 else { throw fail(key, "is \(value); it must be above 0") }
    return value
  }

  /// The probability of a dropout; 0 where the key is null.
  public func probability(_ key: String) throws(ArchitectureError) -> Float {
    let value = try float(key, default: 0)
    guard 0...1 ~= value else { throw fail(key, "is \(value); a probability is between 0 and 1") }
    return value
  }

  /// The standard deviation of initial values.
  public func deviation(_ key: String) throws(ArchitectureError) -> Float {
    let value = try float(key)
    guard value >= 0 else { throw fail(key, "is \(value); a deviation is not negative") }
    return value
  }

  /// Returns a truth value.
  /// - Throws: `ArchitectureError` where it is missing or something else.
  public func bool(_ key: String) throws(ArchitectureError) -> Bool { try required(key, "true or false", json[key]?.bool) }

  /// Returns a truth value, or `value` where the key is missing or null.
  public func bool(_ key: String, default value: Bool) throws(ArchitectureError) -> Bool { contains(key) ? try bool(key) : value }

  /// Returns a text.
  /// - Throws: `ArchitectureError` where it is missing or something else.
  public func string(_ key: String) throws(ArchitectureError) -> String { try required(key, "a string", json[key]?.string) }

  /// Returns a text, or `value` where the key is missing or null.
  public func string(_ key: String, default value: String) throws(ArchitectureError) -> String { contains(key) ? try string(key) : value }

  /// As many finite numbers as `count` says.
  public func floats(_ key: String, count: Int) throws(ArchitectureError) -> [Float] {
    let values = try required(key, "a list of numbers", json[key]?.array)
    let numbers = values.compactMap { $0.double.map { Float($0) } }.filter(\.isFinite)
    guard numbers.count == values.count else { throw fail(key, "holds something else than finite numbers") }
    guard numbers.count == count else { throw fail(key, "lists \(numbers.count) numbers; it must be \(count)") }
    return numbers
  }

  /// A token of a vocabulary that the model is given to read.
  public func token(_ key: String, vocabulary: Int) throws(ArchitectureError) -> Int {
    let value = try int(key)
    guard 0..<vocabulary ~= value else { throw fail(key, "token \(value) is outside the vocabulary of \(vocabulary)") }
    return value
  }

  /// The tokens of a key that may hold one or a list, such as those that end a text; nil where it holds none. Negative
  /// ones, which some files have for "none", are left out.
  public func tokens(_ key: String) throws(ArchitectureError) -> Set<Int32>? {
    guard let value = json[key], !value.isNull else { return nil }
    var tokens: Set<Int32> = []
    for element in value.array ?? [value] {
      guard let id = element.int, let token = Int32(exactly: id) else {
        throw fail(key, "holds \(element.serialized()); it must be a token's id, or a list of them")
      }
      if token >= 0 { tokens.insert(token) }
    }
    return tokens
  }

  /// The object under a key, as a configuration of its own; nil where there is none.
  public func section(_ key: String) throws(ArchitectureError) -> ArchitectureConfiguration? {
    guard let value = json[key], !value.isNull else { return nil }
    guard value.object != nil else { throw fail(key, "is \(value.kindDescription); it must be an object") }
    return ArchitectureConfiguration(value, source: "\(source): \(key)")
  }

  /// Returns the error of a key, to be thrown.
  public func fail(_ key: String, _ problem: String) -> ArchitectureError { ArchitectureError("\(source): \(key): \(problem)") }

  private func required<Value>(_ key: String, _ kind: String, _ value: Value?) throws(ArchitectureError) -> Value {
    if let value { return value }
    guard let found = json[key] else { throw fail(key, "missing; it must be \(kind)") }
    throw fail(key, "is \(found.kindDescription); it must be \(kind)")
  }

  private func positive(_ key: String, _ value: Int) throws(ArchitectureError) -> Int {
    guard value > 0 else { throw fail(key, "is \(value); it must be positive") }
    return value
  }
}
