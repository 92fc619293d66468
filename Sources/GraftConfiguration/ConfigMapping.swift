/// The keys of a section in the order they were written.
public struct ConfigMapping: Sendable {
  public struct Entry: Sendable {
    public var key: String
    public var keyLocation: ConfigLocation?
    public var value: ConfigTree
  }

  public private(set) var entries: [Entry] = []
  /// The index of every key: files may have many thousands.
  private var positions: [String: Int] = [:]

  public init() {}

  public init(_ members: some Sequence<(String, ConfigTree)>) {
    for (key, value) in members { self[key] = value }
  }

  public var keys: [String] { entries.map(\.key) }
  public var isEmpty: Bool { entries.isEmpty }

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
