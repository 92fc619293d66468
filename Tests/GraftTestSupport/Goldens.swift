import GraftJSON

/// The content of goldens: lists of numbers, NaN or -1 where something else stands.
extension JSON {
  public var doubles: [Double] { (array ?? []).map { $0.double ?? .nan } }
  public var floats: [Float] { (array ?? []).map { Float($0.double ?? .nan) } }
  public var tokenIDs: [Int32] { (array ?? []).map { Int32($0.int ?? -1) } }

  /// Returns an object with another value for a key, or without it where the value is nil.
  public func setting(_ key: String, _ value: JSON?) -> JSON {
    var copy = self
    copy[key] = value
    return copy
  }

  /// Returns an object with the values of another one.
  public func setting(_ changes: JSON) -> JSON {
    var copy = self
    for (key, value) in changes.object ?? [:] { copy[key] = value }
    return copy
  }
}

/// Returns the largest distance between two lists, infinity where they differ in length, hold nothing, or hold something that is no number.
public func largestDifference(_ found: [Float], _ expected: [Float]) -> Float {
  guard found.count == expected.count, !found.isEmpty else { return .infinity }
  return zip(found, expected).reduce(0) { max($0, ($1.0 - $1.1).magnitude.isNaN ? .infinity : ($1.0 - $1.1).magnitude) }
}

/// Returns how an error is told, and nothing where there is none.
public func complaint(_ body: () throws -> Void) -> String {
  do {
    try body()
    return ""
  } catch { return "\(error)" }
}

/// Returns the values of a tiny checkpoint's tensor, which scripts and tests make from its name alone (`Scripts/golden_values.py`).
public func syntheticValues(_ name: String, count: Int, centre: Double = 0) -> [Float] {
  let seed = name.utf8.reduce(2_166_136_261 as UInt32) { ($0 ^ UInt32($1)) &* 16_777_619 }
  return (0..<count).map { index in
    var x = seed &+ UInt32(index)
    x = (x ^ (x >> 16)) &* 0x7FEB_352D
    x = (x ^ (x >> 15)) &* 0x846C_A68B
    return Float(centre + (Double(x ^ (x >> 16)) / 4_294_967_296 - 0.5) * 0.8)
  }
}
