import GraftConfiguration
import GraftJSON

/// A `config.json` that cannot be built from.
public struct ArchitectureError: Error, CustomStringConvertible {
  public let description: String

  public init(_ description: String) { self.description = description }
}

/// The keys of a `config.json`, read with their types and defaults; messages name the file and the key.
public struct ArchitectureConfiguration {
  public let json: JSON
  /// The file or recipe section, for messages.
  public let source: String

  public init(_ json: JSON, source: String) {
    self.json = json
    self.source = source
  }

  public func contains(_ key: String) -> Bool { json[key].map { !$0.isNull } ?? false }

  public func int(_ key: String) throws(ArchitectureError) -> Int { try required(key, "a whole number", json[key]?.int) }

  public func int(_ key: String, default value: Int) throws(ArchitectureError) -> Int { contains(key) ? try int(key) : value }

  public func optionalInt(_ key: String) throws(ArchitectureError) -> Int? { contains(key) ? try int(key) : nil }

  /// A number of things, at least one.
  public func count(_ key: String) throws(ArchitectureError) -> Int { try positive(key, try int(key)) }

  public func count(_ key: String, default value: Int) throws(ArchitectureError) -> Int { try positive(key, try int(key, default: value)) }

  public func float(_ key: String, default value: Float) throws(ArchitectureError) -> Float {
    contains(key) ? Float(try required(key, "a number", json[key]?.double)) : value
  }

  public func bool(_ key: String, default value: Bool) throws(ArchitectureError) -> Bool {
    contains(key) ? try required(key, "true or false", json[key]?.bool) : value
  }

  public func string(_ key: String) throws(ArchitectureError) -> String { try required(key, "a string", json[key]?.string) }

  public func string(_ key: String, default value: String) throws(ArchitectureError) -> String { contains(key) ? try string(key) : value }

  /// The object under a key, as a configuration of its own.
  public func section(_ key: String) -> ArchitectureConfiguration? {
    guard let value = json[key], value.object != nil else { return nil }
    return ArchitectureConfiguration(value, source: "\(source): \(key)")
  }

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
