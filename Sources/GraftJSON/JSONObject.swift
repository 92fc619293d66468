/// The members of a JSON object in the order of the text, with constant-time look-up by key.
///
/// Keys are compared by their bytes: "é" composed and "é" decomposed are different keys, as vocabularies need.
public struct JSONObject: Sendable {
  private var members: ContiguousArray<(key: String, value: JSON)> = []
  /// An open-addressing hash table of positions in `members`, -1 where free; empty while a linear search is faster.
  private var table: ContiguousArray<Int32> = []

  private static let linearSearchLimit = 8

  /// An object without members.
  public init() {}

  /// An object of `members`; a later member replaces an earlier one of the same key.
  public init(_ members: some Sequence<(String, JSON)>) {
    for (key, value) in members { self[key] = value }
  }

  /// The keys, in order.
  public var keys: [String] { members.map(\.key) }

  /// The values, in order.
  public var values: [JSON] { members.map(\.value) }

  /// Returns true where there is a member called `key`.
  public func contains(_ key: String) -> Bool { position(of: key) != nil }

  /// The member called `key`. Assigning a new key appends it, assigning `nil` removes the member.
  public subscript(key: String) -> JSON? {
    get { position(of: key).map { members[$0].value } }
    set {
      switch (position(of: key), newValue) {
      case (let position?, let value?): members[position].value = value
      case (nil, let value?): append(key, value)
      case (let position?, nil):
        members.remove(at: position)
        rebuildTable()
      case (nil, nil): break
      }
    }
  }

  /// Appends a member unless `key` is taken; answers whether it did.
  mutating func insert(_ key: String, _ value: JSON) -> Bool {
    if table.isEmpty {
      guard position(of: key) == nil else { return false }
      append(key, value)
      return true
    }
    if (members.count + 1) * 2 > table.count { rebuildTable(forCount: members.count + 1) }
    let slot = slot(of: key)
    guard table[slot] < 0 else { return false }
    table[slot] = Int32(members.count)
    members.append((key, value))
    return true
  }

  private mutating func append(_ key: String, _ value: JSON) {
    members.append((key, value))
    if members.count * 2 > table.count {
      rebuildTable()
    } else {
      table[slot(of: key)] = Int32(members.count - 1)
    }
  }

  private func position(of key: String) -> Int? {
    if table.isEmpty { return members.firstIndex { Self.areEqual($0.key, key) } }
    let position = table[slot(of: key)]
    return position < 0 ? nil : Int(position)
  }

  /// Returns the slot of `key` in the table, or the free slot where it belongs.
  private func slot(of key: String) -> Int {
    let mask = table.count - 1
    var slot = Self.hash(key) & mask
    while table[slot] >= 0, !Self.areEqual(members[Int(table[slot])].key, key) { slot = (slot + 1) & mask }
    return slot
  }

  private mutating func rebuildTable(forCount count: Int? = nil) {
    let count = count ?? members.count
    guard count > Self.linearSearchLimit else {
      table = []
      return
    }
    var capacity = 32
    while capacity < count * 4 { capacity *= 2 }
    table = ContiguousArray(repeating: -1, count: capacity)
    let mask = capacity - 1
    for position in members.indices {
      var slot = Self.hash(members[position].key) & mask
      while table[slot] >= 0 { slot = (slot + 1) & mask }
      table[slot] = Int32(position)
    }
  }

  private static func hash(_ key: String) -> Int {
    var hasher = Hasher()
    let hashed: Void? = key.utf8.withContiguousStorageIfAvailable { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
    if hashed == nil { for byte in key.utf8 { hasher.combine(byte) } }
    return hasher.finalize()
  }

  private static func areEqual(_ left: String, _ right: String) -> Bool {
    left.utf8.count == right.utf8.count && left.utf8.elementsEqual(right.utf8)
  }
}

extension JSONObject: RandomAccessCollection {
  public var startIndex: Int { 0 }
  public var endIndex: Int { members.count }
  public subscript(position: Int) -> (key: String, value: JSON) { members[position] }
}

extension JSONObject: Equatable {
  /// Returns true where both have equal members, in whatever order.
  public static func == (left: JSONObject, right: JSONObject) -> Bool {
    left.count == right.count && left.allSatisfy { right[$0.key] == $0.value }
  }
}

extension JSONObject: ExpressibleByDictionaryLiteral {
  public init(dictionaryLiteral elements: (String, JSON)...) { self.init(elements) }
}
