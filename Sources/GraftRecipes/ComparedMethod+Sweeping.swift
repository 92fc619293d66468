import GraftAdapters
import GraftConfiguration

extension Recipe.ComparedMethod {
  /// A key of the method whose values are compared as a curve, and the value of one of them.
  public struct SweptKey: Sendable, Equatable {
    /// The name of the method that was expanded.
    public var family: String
    /// The key, such as `r`.
    public var key: String
    /// The value of this method.
    public var value: Double

    /// - Parameter family: the name of the method that was expanded.
    public init(family: String, key: String, value: Double) {
      self.family = family
      self.key = key
      self.value = value
    }
  }

  /// One method for every value of a key that takes a number but was given a list: `r: [1, 4, 16]` is three methods.
  ///
  /// - Throws: `ConfigError` for an unknown method, and where two keys have lists.
  func expanded(at index: Int) throws -> [(method: Recipe.ComparedMethod, swept: SweptKey?)] {
    let name = method["peft_type"]?.string ?? "LORA"
    guard MethodCatalog.type(named: name) != nil else {
      throw ConfigError(
        location: method.location(at: ["peft_type"]), path: ["methods", "\(index)", "method", "peft_type"], problem: "unknown peft_type \"\(name)\"",
        advice: NearestName.advice(for: name, among: MethodCatalog.names))
    }
    let lists = (method.mapping?.entries ?? []).filter { entry in
      guard let values = entry.value.sequence, let first = values.first, values.allSatisfy({ $0.double != nil }) else { return false }
      return takes(first, for: entry.key) && !takes(entry.value, for: entry.key)
    }
    guard let list = lists.first else { return [(self, nil)] }
    guard lists.count == 1 else {
      throw ConfigError(
        location: method.location(at: [lists[1].key]), path: ["methods", "\(index)", "method", lists[1].key],
        problem: "'\(list.key)' is swept already", advice: "sweep one key of a method at a time")
    }
    return (list.value.sequence ?? []).map { value in
      var copy = self
      copy.name = "\(self.name) \(list.key)=\(value.scalarText)"
      copy.method[list.key] = value
      return (copy, SweptKey(family: self.name, key: list.key, value: value.double ?? 0))
    }
  }

  /// Returns true where the method knows a key and may have a value for it.
  private func takes(_ value: ConfigTree, for key: String) -> Bool {
    var mapping = ConfigMapping()
    mapping["peft_type"] = method["peft_type"]
    mapping[key] = value
    return (try? MethodCatalog.decode(recipe: ConfigTree(.mapping(mapping), location: method.location))) != nil
  }
}

extension ConfigTree {
  fileprivate var scalarText: String { int.map { "\($0)" } ?? double.map { "\($0)" } ?? string ?? "" }
}
