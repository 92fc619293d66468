/// Decodes one node of a `ConfigTree`, noting which keys were asked for: what nobody asks for is unknown.
final class TreeDecoder: Decoder {
  let tree: ConfigTree
  let codingPath: [any CodingKey]
  var userInfo: [CodingUserInfoKey: Any] { [:] }
  private var naming = KeyNaming(Void.self)
  private var askedKeys: [String] = []
  private var wantsEveryKey = false

  init(_ tree: ConfigTree, codingPath: [any CodingKey]) {
    self.tree = tree
    self.codingPath = codingPath
  }

  func decode<Value: Decodable>(_ type: Value.Type) throws -> Value {
    let value = try decodeHere(type)
    try rejectUnaskedKeys()
    return value
  }

  /// Decodes a value from this node whose keys may be some of the node's.
  func decodeHere<Value: Decodable>(_ type: Value.Type) throws -> Value {
    let outer = naming
    naming = KeyNaming(type)
    defer { naming = outer }
    return try Value(from: self)
  }

  func ask(_ key: String) { askedKeys.append(key) }

  func takeEveryKey() { wantsEveryKey = true }

  func takeWhole() -> ConfigTree {
    wantsEveryKey = true
    return tree
  }

  private func rejectUnaskedKeys() throws {
    guard !wantsEveryKey, !askedKeys.isEmpty, let entries = tree.mapping?.entries else { return }
    for entry in entries where !askedKeys.contains(entry.key) {
      throw ConfigError(
        location: entry.keyLocation ?? entry.value.location, path: codingPath.map(\.stringValue) + [entry.key],
        problem: "unknown key",
        advice: NearestName.of(entry.key, among: askedKeys).map { "did you mean '\($0)'?" }
          ?? "known here: "
          + askedKeys.reduce(into: []) { if !$0.contains($1) { $0.append($1) } }.joined(separator: ", "))
    }
  }

  func container<Key: CodingKey>(keyedBy type: Key.Type) throws -> KeyedDecodingContainer<Key> {
    guard let mapping = tree.mapping else { throw mismatch("a section", "write its keys indented below it") }
    return KeyedDecodingContainer(KeyedTree(mapping: mapping, decoder: self, naming: naming))
  }

  func unkeyedContainer() throws -> any UnkeyedDecodingContainer {
    guard let elements = tree.sequence else { throw mismatch("a list", "write [a, b]") }
    return UnkeyedTree(elements: elements, decoder: self)
  }

  func singleValueContainer() throws -> any SingleValueDecodingContainer { SingleTree(decoder: self) }

  func mismatch(_ expected: String, _ advice: String) -> ConfigError {
    ConfigError(
      location: tree.location, path: codingPath.map(\.stringValue),
      problem: "expected \(expected), found \(tree.kindDescription)", advice: advice)
  }
}

/// Reads the scalar itself.
private struct SingleTree: SingleValueDecodingContainer {
  let decoder: TreeDecoder
  var codingPath: [any CodingKey] { decoder.codingPath }

  func decodeNil() -> Bool { decoder.tree.isNull }

  func decode(_ type: Bool.Type) throws -> Bool {
    if let value = decoder.tree.bool { return value }
    throw decoder.mismatch("true or false", "write true or false")
  }

  func decode(_ type: String.Type) throws -> String {
    if let value = decoder.tree.string { return value }
    throw decoder.mismatch("text", decoder.tree.scalar == nil ? "write one text" : "put it in quotes to make it text")
  }

  func decode(_ type: Double.Type) throws -> Double {
    if let value = decoder.tree.double { return value }
    throw decoder.mismatch("a number", "write a number such as 2.0e-4")
  }

  func decode(_ type: Float.Type) throws -> Float { Float(try decode(Double.self)) }

  private func integer<Value: FixedWidthInteger>(_ type: Value.Type) throws -> Value {
    guard let value = decoder.tree.int else {
      throw decoder.mismatch("a whole number", "write a number without a fraction")
    }
    if let result = Value(exactly: value) { return result }
    throw decoder.mismatch(
      Value.isSigned ? "a smaller number" : "a number that is not negative", "choose another number")
  }

  func decode(_ type: Int.Type) throws -> Int { try integer(type) }
  func decode(_ type: Int8.Type) throws -> Int8 { try integer(type) }
  func decode(_ type: Int16.Type) throws -> Int16 { try integer(type) }
  func decode(_ type: Int32.Type) throws -> Int32 { try integer(type) }
  func decode(_ type: Int64.Type) throws -> Int64 { try integer(type) }
  func decode(_ type: UInt.Type) throws -> UInt { try integer(type) }
  func decode(_ type: UInt8.Type) throws -> UInt8 { try integer(type) }
  func decode(_ type: UInt16.Type) throws -> UInt16 { try integer(type) }
  func decode(_ type: UInt32.Type) throws -> UInt32 { try integer(type) }
  func decode(_ type: UInt64.Type) throws -> UInt64 { try integer(type) }
  func decode<Value: Decodable>(_ type: Value.Type) throws -> Value { try decoder.decodeHere(type) }
}

/// Reads the keys of a section.
private struct KeyedTree<Key: CodingKey>: KeyedDecodingContainerProtocol {
  let mapping: ConfigMapping
  let decoder: TreeDecoder
  let naming: KeyNaming
  var codingPath: [any CodingKey] { decoder.codingPath }

  var allKeys: [Key] {
    decoder.takeEveryKey()
    return mapping.keys.compactMap { naming.key(named: $0) }
  }

  func contains(_ key: Key) -> Bool {
    let name = naming.name(of: key)
    decoder.ask(name)
    return mapping[name] != nil
  }

  func decodeNil(forKey key: Key) throws -> Bool { try child(key).tree.isNull }

  func decode<Value: Decodable>(_ type: Value.Type, forKey key: Key) throws -> Value {
    if type is any InlinedKeys.Type { return try decoder.decodeHere(type) }
    return try child(key).decode(type)
  }

  func nestedContainer<Nested: CodingKey>(keyedBy type: Nested.Type, forKey key: Key) throws -> KeyedDecodingContainer<
    Nested
  > {
    try child(key).container(keyedBy: type)
  }

  func nestedUnkeyedContainer(forKey key: Key) throws -> any UnkeyedDecodingContainer {
    try child(key).unkeyedContainer()
  }

  func superDecoder() throws -> any Decoder { decoder }
  func superDecoder(forKey key: Key) throws -> any Decoder { try child(key) }

  private func child(_ key: Key) throws -> TreeDecoder {
    let name = naming.name(of: key)
    decoder.ask(name)
    if let value = mapping[name] { return TreeDecoder(value, codingPath: codingPath + [TreeKey(name)]) }
    throw ConfigError(
      location: decoder.tree.location, path: codingPath.map(\.stringValue), problem: "the key '\(name)' is missing", advice: "add \(name): ...")
  }
}

/// Reads the elements of a list.
private struct UnkeyedTree: UnkeyedDecodingContainer {
  let elements: [ConfigTree]
  let decoder: TreeDecoder
  var currentIndex = 0
  var codingPath: [any CodingKey] { decoder.codingPath }
  var count: Int? { elements.count }
  var isAtEnd: Bool { currentIndex == elements.count }

  init(elements: [ConfigTree], decoder: TreeDecoder) {
    self.elements = elements
    self.decoder = decoder
  }

  mutating func decodeNil() throws -> Bool {
    guard try peek().tree.isNull else { return false }
    currentIndex += 1
    return true
  }

  mutating func decode<Value: Decodable>(_ type: Value.Type) throws -> Value {
    let value = try peek().decode(type)
    currentIndex += 1
    return value
  }

  mutating func nestedContainer<Nested: CodingKey>(keyedBy type: Nested.Type) throws -> KeyedDecodingContainer<Nested> {
    defer { currentIndex += 1 }
    return try peek().container(keyedBy: type)
  }

  mutating func nestedUnkeyedContainer() throws -> any UnkeyedDecodingContainer {
    defer { currentIndex += 1 }
    return try peek().unkeyedContainer()
  }

  mutating func superDecoder() throws -> any Decoder {
    defer { currentIndex += 1 }
    return try peek()
  }

  private func peek() throws -> TreeDecoder {
    guard !isAtEnd else {
      throw decoder.mismatch("a list of \(currentIndex + 1) or more values", "add the missing value")
    }
    return TreeDecoder(elements[currentIndex], codingPath: codingPath + [TreeKey(intValue: currentIndex)])
  }
}
