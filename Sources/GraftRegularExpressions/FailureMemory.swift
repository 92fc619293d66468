/// The choices of a program that led nowhere on a text.
///
/// A loop whose body may be empty goes on or not as its register is the present position or not: that belongs to a choice's place.
struct FailureMemory {
  private struct Place: Hashable {
    let instruction: Int32
    let position: Int
    let emptyLoops: UInt64
  }

  private var places: Set<Place> = []
  /// The ends at which an unlimited run has failed, by its instruction: of the part of the text that was last looked at.
  private var ends: [Int: ClosedRange<Int>] = [:]

  /// The most places that are remembered; beyond that only time is lost.
  private static let limit = 4_000_000

  private static func emptyLoops(_ registers: [Int], _ position: Int) -> UInt64? {
    var mask: UInt64 = 0
    for (index, noted) in registers.enumerated() where noted == position {
      guard index < 64 else { return nil }
      mask |= 1 << UInt64(index)
    }
    return mask
  }

  func contains(_ instruction: Int, _ position: Int, _ registers: [Int]) -> Bool {
    guard let loops = Self.emptyLoops(registers, position) else { return false }
    return places.contains(Place(instruction: Int32(instruction), position: position, emptyLoops: loops))
  }

  mutating func insert(_ instruction: Int, _ position: Int, _ registers: [Int]) {
    guard places.count < Self.limit, let loops = Self.emptyLoops(registers, position) else { return }
    places.insert(Place(instruction: Int32(instruction), position: position, emptyLoops: loops))
  }

  /// Remembers that a run may end nowhere in a part of the text. It has taken something there, so that no loop is empty.
  mutating func note(_ range: ClosedRange<Int>, of instruction: Int) { ends[instruction] = range }

  /// The last position of the part in which a run has ended in vain; nil where the position is not in it.
  func end(of instruction: Int, at position: Int) -> Int? {
    guard let range = ends[instruction], range.contains(position) else { return nil }
    return range.upperBound
  }
}
