/// A prefix tree over byte strings: which of them start at a place of a text.
struct ByteTrie: Sendable {
  private let edges: IntegerTable
  private var firstNodes: [Int32] = Array(repeating: -1, count: 256)
  /// The value of the string that ends at a node, -1 at inner nodes.
  private var values: [Int32] = [-1]

  /// Every place of a text is compared with as many bytes as the longest string has: longer ones, which no tokenizer has, are refused.
  static let longestKey = 4096

  init(minimumCapacity: Int = 16) { edges = IntegerTable(minimumCapacity: minimumCapacity) }

  /// True where it holds no string.
  var isEmpty: Bool { values.count == 1 }

  /// Adds a string that is not empty, or replaces its value.
  mutating func insert(_ key: some Sequence<UInt8>, value: Int32) {
    var node: Int32 = 0
    for byte in key {
      if let next = child(of: node, byte) {
        node = next
        continue
      }
      let next = Int32(values.count)
      values.append(-1)
      if node == 0 {
        firstNodes[Int(byte)] = next
      } else {
        edges.insert(UInt64(next), forKey: Self.key(node, byte))
      }
      node = next
    }
    if node != 0 { values[Int(node)] = value }
  }

  /// Calls `body` with the end and the value of every string that starts at `start`, shortest first.
  @inline(__always)
  func forEachMatch(in text: UnsafeBufferPointer<UInt8>, at start: Int, _ body: (_ end: Int, _ value: Int32) -> Void) {
    var node: Int32 = 0
    var position = start
    while position < text.count, let next = child(of: node, text[position]) {
      node = next
      position += 1
      let value = values[Int(node)]
      if value >= 0 { body(position, value) }
    }
  }

  /// The longest string that starts at `start`.
  func longestMatch(in text: UnsafeBufferPointer<UInt8>, at start: Int) -> (end: Int, value: Int32)? {
    var found: (end: Int, value: Int32)?
    forEachMatch(in: text, at: start) { found = ($0, $1) }
    return found
  }

  @inline(__always)
  private func child(of node: Int32, _ byte: UInt8) -> Int32? {
    if node == 0 {
      let next = firstNodes[Int(byte)]
      return next < 0 ? nil : next
    }
    return edges[Self.key(node, byte)].map { Int32(truncatingIfNeeded: $0) }
  }

  @inline(__always)
  private static func key(_ node: Int32, _ byte: UInt8) -> UInt64 { UInt64(UInt32(bitPattern: node)) << 8 | UInt64(byte) }
}
