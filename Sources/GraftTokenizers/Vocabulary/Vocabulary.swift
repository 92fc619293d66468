import GraftJSON

/// The tokens of a model and their ids, both ways.
struct Vocabulary: Sendable {
  private var strings: ByteStringTable
  /// The id of every string of the table.
  private var ids: [Int32] = []
  /// The string of every id, -1 where ids leave a hole.
  private var positions: [Int32] = []

  /// Ids beyond this are a mistake in the file, not a vocabulary.
  private static let largestID = 1 << 24

  /// From the `vocab` object of `tokenizer.json`: `{token: id}`.
  init(_ members: JSONObject, source: String) throws(TokenizerError) {
    strings = ByteStringTable(minimumCapacity: members.count)
    ids.reserveCapacity(members.count)
    positions = Array(repeating: -1, count: members.count)
    for (token, value) in members {
      guard let id = value.int, (0...Self.largestID).contains(id) else {
        throw TokenizerError(
          source, "the id of token \"\(token)\" is not a whole number from 0", fix: "repair model.vocab")
      }
      insert(token, id: id)
    }
  }

  /// From a list in the order of the ids, as Unigram models have it.
  init(_ tokens: some Collection<String>) {
    strings = ByteStringTable(minimumCapacity: tokens.count)
    ids.reserveCapacity(tokens.count)
    positions = Array(repeating: -1, count: tokens.count)
    for (id, token) in tokens.enumerated() { insert(token, id: id) }
  }

  /// From tokens that need not be text, with their ids.
  init(_ tokens: [(bytes: [UInt8], id: Int)]) {
    strings = ByteStringTable(minimumCapacity: tokens.count)
    ids.reserveCapacity(tokens.count)
    positions = Array(repeating: -1, count: tokens.count)
    for (bytes, id) in tokens { insert(at: bytes.withUnsafeBufferPointer { strings.insert($0) }, id: id) }
  }

  private mutating func insert(_ token: String, id: Int) { insert(at: strings.insert(token), id: id) }

  private mutating func insert(at position: Int, id: Int) {
    if position == ids.count { ids.append(Int32(id)) } else { ids[position] = Int32(id) }
    while positions.count <= id { positions.append(-1) }
    positions[id] = Int32(position)
  }

  /// The number of different tokens.
  var count: Int { ids.count }

  @inline(__always)
  func id(of token: UnsafeBufferPointer<UInt8>) -> Int32? {
    strings.position(of: token).map { ids[$0] }
  }

  func id(of token: [UInt8]) -> Int32? { token.withUnsafeBufferPointer { id(of: $0) } }

  func id(of token: String) -> Int32? { strings.position(of: token).map { ids[$0] } }

  /// The bytes of the token with this id.
  func bytes(of id: Int32) -> ArraySlice<UInt8>? {
    guard id >= 0, id < positions.count, positions[Int(id)] >= 0 else { return nil }
    return strings[Int(positions[Int(id)])]
  }

  /// Every token's bytes with its id.
  func forEach(_ body: (ArraySlice<UInt8>, Int32) -> Void) {
    for position in ids.indices { body(strings[position], ids[position]) }
  }
}
