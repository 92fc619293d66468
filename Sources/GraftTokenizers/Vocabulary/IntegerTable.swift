/// A hash table from integers to integers that is built once and then only read: linear probing, half full at most.
final class IntegerTable: @unchecked Sendable {
  private struct Slot {
    var key: UInt64
    var value: UInt64
  }

  /// No pair of ids and no trie edge has this key.
  private static let free = UInt64.max

  private var slots: UnsafeMutablePointer<Slot>
  private var mask: Int
  private(set) var count = 0

  init(minimumCapacity: Int = 8) {
    var capacity = 16
    while capacity < minimumCapacity * 2 { capacity *= 2 }
    mask = capacity - 1
    slots = Self.allocate(capacity)
  }

  deinit { slots.deallocate() }

  @inline(__always)
  subscript(key: UInt64) -> UInt64? {
    var index = Self.hash(key) & mask
    while true {
      let slot = slots[index]
      if slot.key == key { return slot.value }
      if slot.key == Self.free { return nil }
      index = (index + 1) & mask
    }
  }

  /// Only while the table is being built, before it is shared.
  func insert(_ value: UInt64, forKey key: UInt64) {
    if (count + 1) * 2 > mask + 1 { grow() }
    var index = Self.hash(key) & mask
    while slots[index].key != Self.free && slots[index].key != key { index = (index + 1) & mask }
    if slots[index].key == Self.free { count += 1 }
    slots[index] = Slot(key: key, value: value)
  }

  private func grow() {
    let old = slots
    let oldCapacity = mask + 1
    slots = Self.allocate(oldCapacity * 2)
    mask = oldCapacity * 2 - 1
    for position in 0..<oldCapacity where old[position].key != Self.free {
      var index = Self.hash(old[position].key) & mask
      while slots[index].key != Self.free { index = (index + 1) & mask }
      slots[index] = old[position]
    }
    old.deallocate()
  }

  private static func allocate(_ capacity: Int) -> UnsafeMutablePointer<Slot> {
    let slots = UnsafeMutablePointer<Slot>.allocate(capacity: capacity)
    slots.initialize(repeating: Slot(key: free, value: 0), count: capacity)
    return slots
  }

  @inline(__always)
  private static func hash(_ key: UInt64) -> Int {
    let mixed = (key ^ (key >> 32)) &* 0x9E37_79B9_7F4A_7C15
    return Int(truncatingIfNeeded: mixed >> 20)
  }
}
