import GraftJSON

/// A node of the tree that an `Encoder` is filling.
final class EncodedNode {
  private enum Content {
    case tree(ConfigTree)
    case sequence([EncodedNode])
    case mapping([(key: String, node: EncodedNode)])
  }

  private var content = Content.mapping([])
  /// The names of the keys of the value that is being encoded.
  fileprivate private(set) var naming = KeyNaming(Void.self)
  let codingPath: [any CodingKey]

  init(codingPath: [any CodingKey]) { self.codingPath = codingPath }

  convenience init(encoding value: some Encodable, codingPath: [any CodingKey]) throws {
    self.init(codingPath: codingPath)
    try set(value)
  }

  func set(_ value: some Encodable) throws {
    if var tree = value as? ConfigTree {
      tree.isOpen = true
      content = .tree(tree)
    } else if value is [String: any Encodable] {
      // A dictionary's keys are the user's own.
      try encodeHere(value)
      var tree = tree
      if let mapping = tree.mapping {
        tree = .mapping(ConfigMapping(mapping.entries.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }))
      }
      tree.isOpen = true
      content = .tree(tree)
    } else {
      try encodeHere(value)
    }
  }

  /// Encodes a value into this node, which may have other keys already.
  func encodeHere(_ value: some Encodable) throws {
    let outer = naming
    naming = KeyNaming(type(of: value))
    defer { naming = outer }
    try value.encode(to: TreeEncoder(node: self))
  }

  func set(_ scalar: ScalarValue) { content = .tree(.scalar(scalar)) }

  func child(_ name: String) -> EncodedNode {
    let node = EncodedNode(codingPath: codingPath + [TreeKey(name)])
    if case .mapping(var members) = content {
      members.append((name, node))
      content = .mapping(members)
    } else {
      content = .mapping([(name, node)])
    }
    return node
  }

  func beginSequence() {
    if case .sequence = content { return }
    content = .sequence([])
  }

  func nextElement() -> EncodedNode {
    let node = EncodedNode(codingPath: codingPath + [TreeKey(intValue: elementCount)])
    if case .sequence(let elements) = content { content = .sequence(elements + [node]) }
    return node
  }

  var elementCount: Int {
    if case .sequence(let elements) = content { elements.count } else { 0 }
  }

  var tree: ConfigTree {
    switch content {
    case .tree(let tree): tree
    case .sequence(let elements): .sequence(elements.map(\.tree))
    case .mapping(let members): .mapping(ConfigMapping(members.map { ($0.key, $0.node.tree) }))
    }
  }
}

struct TreeEncoder: Encoder {
  let node: EncodedNode
  var codingPath: [any CodingKey] { node.codingPath }
  var userInfo: [CodingUserInfoKey: Any] { [:] }

  func container<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedEncodingContainer<Key> {
    KeyedEncodingContainer(KeyedNode(node: node, naming: node.naming))
  }

  func unkeyedContainer() -> any UnkeyedEncodingContainer {
    node.beginSequence()
    return UnkeyedNode(node: node)
  }

  func singleValueContainer() -> any SingleValueEncodingContainer { SingleNode(node: node) }
}

private struct SingleNode: SingleValueEncodingContainer {
  let node: EncodedNode
  var codingPath: [any CodingKey] { node.codingPath }

  func encodeNil() { node.set(.null) }
  func encode(_ value: Bool) { node.set(.bool(value)) }
  func encode(_ value: String) { node.set(.string(value)) }
  func encode(_ value: Double) { node.set(.number(value)) }
  /// The shortest decimal of the `Float`, not of the `Double` it widens to.
  func encode(_ value: Float) { node.set(.number(Double("\(value)") ?? Double(value))) }
  func encode(_ value: Int) { node.set(.integer(value)) }
  func encode(_ value: Int8) { node.set(.integer(Int(value))) }
  func encode(_ value: Int16) { node.set(.integer(Int(value))) }
  func encode(_ value: Int32) { node.set(.integer(Int(value))) }
  func encode(_ value: Int64) { node.set(.integer(Int(value))) }
  func encode(_ value: UInt) throws { try encodeUnsigned(UInt64(value)) }
  func encode(_ value: UInt8) { node.set(.integer(Int(value))) }
  func encode(_ value: UInt16) { node.set(.integer(Int(value))) }
  func encode(_ value: UInt32) { node.set(.integer(Int(value))) }
  func encode(_ value: UInt64) throws { try encodeUnsigned(value) }
  func encode(_ value: some Encodable) throws { try node.set(value) }

  private func encodeUnsigned(_ value: UInt64) throws {
    guard let integer = Int(exactly: value) else {
      throw EncodingError.invalidValue(
        value, .init(codingPath: codingPath, debugDescription: "\(value) is above \(Int.max)"))
    }
    node.set(.integer(integer))
  }
}

/// Writes the keys of a section, nil ones as null: the tree of a default value names every key there is.
private struct KeyedNode<Key: CodingKey>: KeyedEncodingContainerProtocol {
  let node: EncodedNode
  let naming: KeyNaming
  var codingPath: [any CodingKey] { node.codingPath }

  func encodeNil(forKey key: Key) { child(key).set(.null) }
  func encode(_ value: some Encodable, forKey key: Key) throws {
    if value is any InlinedKeys { try node.encodeHere(value) } else { try child(key).set(value) }
  }

  private func child(_ key: Key) -> EncodedNode { node.child(naming.name(of: key)) }

  private func encodeOptional(_ value: (some Encodable)?, _ key: Key) throws {
    if let value { try encode(value, forKey: key) } else { encodeNil(forKey: key) }
  }

  func encodeIfPresent(_ value: Bool?, forKey key: Key) throws { try encodeOptional(value, key) }
  func encodeIfPresent(_ value: String?, forKey key: Key) throws { try encodeOptional(value, key) }
  func encodeIfPresent(_ value: Double?, forKey key: Key) throws { try encodeOptional(value, key) }
  func encodeIfPresent(_ value: Float?, forKey key: Key) throws { try encodeOptional(value, key) }
  func encodeIfPresent(_ value: Int?, forKey key: Key) throws { try encodeOptional(value, key) }
  func encodeIfPresent(_ value: Int8?, forKey key: Key) throws { try encodeOptional(value, key) }
  func encodeIfPresent(_ value: Int16?, forKey key: Key) throws { try encodeOptional(value, key) }
  func encodeIfPresent(_ value: Int32?, forKey key: Key) throws { try encodeOptional(value, key) }
  func encodeIfPresent(_ value: Int64?, forKey key: Key) throws { try encodeOptional(value, key) }
  func encodeIfPresent(_ value: UInt?, forKey key: Key) throws { try encodeOptional(value, key) }
  func encodeIfPresent(_ value: UInt8?, forKey key: Key) throws { try encodeOptional(value, key) }
  func encodeIfPresent(_ value: UInt16?, forKey key: Key) throws { try encodeOptional(value, key) }
  func encodeIfPresent(_ value: UInt32?, forKey key: Key) throws { try encodeOptional(value, key) }
  func encodeIfPresent(_ value: UInt64?, forKey key: Key) throws { try encodeOptional(value, key) }
  func encodeIfPresent(_ value: (some Encodable)?, forKey key: Key) throws { try encodeOptional(value, key) }

  func nestedContainer<Nested: CodingKey>(keyedBy type: Nested.Type, forKey key: Key) -> KeyedEncodingContainer<Nested> {
    KeyedEncodingContainer(KeyedNode<Nested>(node: child(key), naming: naming))
  }

  func nestedUnkeyedContainer(forKey key: Key) -> any UnkeyedEncodingContainer {
    TreeEncoder(node: child(key)).unkeyedContainer()
  }

  func superEncoder() -> any Encoder { TreeEncoder(node: node) }
  func superEncoder(forKey key: Key) -> any Encoder { TreeEncoder(node: child(key)) }
}

private struct UnkeyedNode: UnkeyedEncodingContainer {
  let node: EncodedNode
  var codingPath: [any CodingKey] { node.codingPath }
  var count: Int { node.elementCount }

  func encodeNil() { node.nextElement().set(.null) }
  func encode(_ value: some Encodable) throws { try node.nextElement().set(value) }

  func nestedContainer<Nested: CodingKey>(keyedBy type: Nested.Type) -> KeyedEncodingContainer<Nested> {
    KeyedEncodingContainer(KeyedNode<Nested>(node: node.nextElement(), naming: node.naming))
  }

  func nestedUnkeyedContainer() -> any UnkeyedEncodingContainer {
    TreeEncoder(node: node.nextElement()).unkeyedContainer()
  }

  func superEncoder() -> any Encoder { TreeEncoder(node: node.nextElement()) }
}
