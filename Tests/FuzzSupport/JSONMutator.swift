import GraftJSON

/// Changes values within JSON documents and leaves the syntax alone, which lets damage through to whoever reads the values.
public struct JSONMutator {
  private var generator: SplitMix
  private let seeds: [JSON]

  public init(seed: UInt64, seeds: [JSON]) {
    generator = SplitMix(state: seed)
    self.seeds = seeds
  }

  /// One of the seeds with up to four values changed.
  public mutating func next() -> JSON {
    var document = seeds.randomElement(using: &generator) ?? .null
    for _ in 0..<Int.random(in: 1...4, using: &generator) { document = changed(document) }
    return document
  }

  /// Goes down a random path, and changes what is at its end.
  private mutating func changed(_ value: JSON) -> JSON {
    switch value {
    case .array(var elements) where !elements.isEmpty && descends():
      let index = Int.random(in: elements.indices, using: &generator)
      switch Int.random(in: 0..<8, using: &generator) {
      case 0: elements.remove(at: index)
      case 1: elements.insert(elements[index], at: index)
      default: elements[index] = changed(elements[index])
      }
      return .array(elements)
    case .object(var members) where !members.isEmpty && descends():
      let key = members.keys[Int.random(in: 0..<members.count, using: &generator)]
      switch Int.random(in: 0..<8, using: &generator) {
      case 0: members[key] = nil
      case 1: members[key + "x"] = members[key]
      default: members[key] = changed(members[key] ?? .null)
      }
      return .object(members)
    default: return hostile()
    }
  }

  private mutating func descends() -> Bool { Int.random(in: 0..<10, using: &generator) > 0 }

  private mutating func hostile() -> JSON {
    let values: [JSON] = [
      .null, true, false, 0, 1, -1, 2, 255, 65536, .integer(1 << 31), .integer(1 << 32), .integer(1 << 60), .integer(.max), .integer(.min), 0.5, -0.5,
      1e-300, 1e300, "", "a", "\u{0}", "\u{7F}\u{1B}[2J", "é\u{301}\u{202E}", .string(String(repeating: "a", count: 300)),
      .string(String(repeating: "(a|", count: 20)), "(a+)+$", "[a-", "{{ x }}", [], [:], [[], [[]]], ["a": 1],
    ]
    return values.randomElement(using: &generator) ?? .null
  }
}
