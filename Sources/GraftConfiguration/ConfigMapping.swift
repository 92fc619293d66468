/// The keys of a section in the order they were written.
public struct ConfigMapping: Sendable {
  /// A key with its value.
  public struct Entry: Sendable {
    /// The key.
    public var key: String
    /// The place at which the key was written.
    public var keyLocation: ConfigLocation?
    /// The value.
    public var value: ConfigTree
  }

  /// The keys with their values, in the order in which they were written.
  public private(set) var entries: [Entry] = []
  /// The index of every key: files may have many thousands.
  private var positions: [String: Int] = [:]

  /// A section without keys.
  public init() {}

  /// The keys with their values; of several with one key, the last.
  public init(_ members: some Sequence<(String, ConfigTree)>) {
    for (key, value) in members { self[key] = value }
  }

  /// The keys, in the order in which they were written.
  public var keys: [String] { entries.map(\.key) }
  /// True where there is no key.
  public var isEmpty: Bool { entries.isEmpty }

  /// Returns a key with its places; nil where there is none.
  public func entry(_ key: String) -> Entry? { positions[key].map { entries[$0] } }

  /// The value of `key`. Assigning a new key appends it, assigning nil removes it.
  public subscript(key: String) -> ConfigTree? {
    get { entry(key)?.value }
    set { set(key, to: newValue, keyLocation: entry(key)?.keyLocation) }
  }

  /// Assigns `value` to `key`, remembering where the key was written.
  public mutating func set(_ key: String, to value: ConfigTree?, keyLocation: ConfigLocation?) {
    switch (positions[key], value) {
    case (let position?, let value?):
      entries[position] = Entry(key: key, keyLocation: keyLocation, value: value)
    case (nil, let value?):
      positions[key] = entries.count
      entries.append(Entry(key: key, keyLocation: keyLocation, value: value))
    case (let position?, nil):
      entries.remove(at: position)
      positions = Dictionary(zip(entries.map(\.key), 0...)) { first, _ in first }
    case (nil, nil): break
    }
  }
}

extension ConfigMapping: Equatable {
  public static func == (left: ConfigMapping, right: ConfigMapping) -> Bool {
    left.entries.count == right.entries.count && left.entries.allSatisfy { right[$0.key] == $0.value }
  }
}
