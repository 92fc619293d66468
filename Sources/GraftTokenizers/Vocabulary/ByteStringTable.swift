/// Byte strings numbered in the order of their insertion, found by their bytes.
///
/// Tokens are compared by bytes, never as `String`s, for which "é" composed and "é" decomposed are one.
struct ByteStringTable: Sendable {
  private var bytes: [UInt8] = []
  private var ends: [Int32] = []
  /// Positions by hash, -1 where free.
  private var slots: [Int32]
  private var mask: Int
  /// The start of hashes: another in every table, so that no file can make its strings collide.
  private let salt = UInt64.random(in: 0...UInt64.max)

  init(minimumCapacity: Int = 16) {
    var capacity = 32
    while capacity < minimumCapacity * 2 { capacity *= 2 }
    slots = Array(repeating: -1, count: capacity)
    mask = capacity - 1
    ends.reserveCapacity(minimumCapacity)
    bytes.reserveCapacity(minimumCapacity * 8)
  }

  /// The number of strings.
  var count: Int { ends.count }

  /// The bytes of the string at `position`.
  subscript(position: Int) -> ArraySlice<UInt8> { bytes[start(of: position)..<Int(ends[position])] }

  /// The position of a string, `nil` when it is not here.
  @inline(__always)
  func position(of key: UnsafeBufferPointer<UInt8>) -> Int? {
    var slot = hash(key) & mask
    while true {
      let position = slots[slot]
      if position < 0 { return nil }
      if equals(Int(position), key) { return Int(position) }
      slot = (slot + 1) & mask
    }
  }

  /// The position of a string, `nil` when it is not here.
  func position(of key: String) -> Int? {
    var key = key
    return key.withUTF8 { position(of: $0) }
  }

  /// Adds a string unless it is already here; answers its position.
  @discardableResult
  mutating func insert(_ key: UnsafeBufferPointer<UInt8>) -> Int {
    if (count + 1) * 2 > slots.count { grow() }
    var slot = hash(key) & mask
    while slots[slot] >= 0 {
      if equals(Int(slots[slot]), key) { return Int(slots[slot]) }
      slot = (slot + 1) & mask
    }
    slots[slot] = Int32(count)
    bytes.append(contentsOf: key)
    ends.append(Int32(bytes.count))
    return count - 1
  }

  /// Adds a string unless it is already here; answers its position.
  @discardableResult
  mutating func insert(_ key: String) -> Int {
    var key = key
    return key.withUTF8 { insert($0) }
  }

  @inline(__always)
  private func start(of position: Int) -> Int { position == 0 ? 0 : Int(ends[position - 1]) }

  @inline(__always)
  private func equals(_ position: Int, _ key: UnsafeBufferPointer<UInt8>) -> Bool {
    let start = start(of: position)
    guard Int(ends[position]) - start == key.count else { return false }
    return bytes.withUnsafeBufferPointer { stored in
      for offset in 0..<key.count where stored[start + offset] != key[offset] { return false }
      return true
    }
  }

  private mutating func grow() {
    mask = slots.count * 2 - 1
    slots = Array(repeating: -1, count: mask + 1)
    bytes.withUnsafeBufferPointer { stored in
      for position in 0..<ends.count {
        let start = start(of: position)
        var slot = hash(UnsafeBufferPointer(rebasing: stored[start..<Int(ends[position])])) & mask
        while slots[slot] >= 0 { slot = (slot + 1) & mask }
        slots[slot] = Int32(position)
      }
    }
  }

  @inline(__always)
  private func hash(_ key: UnsafeBufferPointer<UInt8>) -> Int {
    var hash = 0xCBF2_9CE4_8422_2325 ^ salt
    for byte in key { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
    return Int(truncatingIfNeeded: (hash ^ (hash >> 29)) & 0x7FFF_FFFF_FFFF)
  }
}
