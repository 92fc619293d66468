/// Lets text through up to the first of some stop strings, and never a part of one.
///
/// Text that may still become a stop string is held back until it is clear.
public struct StopStrings: Sendable {
  /// A byte of the text: as it is compared with stop strings, and as it is shown; nil where it is there for the other only.
  private struct Unit {
    var compared: UInt8?
    var shown: UInt8?
  }

  private let stops: [[UInt8]]
  private var heldBack: [Unit] = []
  /// True where a stop string has occurred; nothing is let through after it.
  public private(set) var hasStopped = false

  /// - Parameter stops: empty ones never occur.
  public init(_ stops: [String]) { self.stops = stops.filter { !$0.isEmpty }.map { Array($0.utf8) } }

  /// Returns the text that can be shown once `text` has been added.
  ///
  /// - Parameters:
  ///   - text: the text that stop strings are compared with.
  ///   - shown: the part of it for the reader, such as all but special tokens; all of it where nil.
  public mutating func append(_ text: String, showing shown: String? = nil) -> String {
    guard !hasStopped else { return "" }
    heldBack += Self.units(Array(text.utf8), showing: Array((shown ?? text).utf8))
    let compared = heldBack.indices.filter { heldBack[$0].compared != nil }
    let bytes = compared.compactMap { heldBack[$0].compared }
    if let start = firstStop(in: bytes) {
      hasStopped = true
      return take(compared[start], forgettingTheRest: true)
    }
    let open = longestBeginning(at: bytes)
    return take(open > 0 ? compared[bytes.count - open] : heldBack.count, forgettingTheRest: false)
  }

  /// Returns the text that is still held back when no more comes.
  public mutating func finish() -> String { take(heldBack.count, forgettingTheRest: true) }

  /// Returns the two texts side by side: they may differ at the start, where a special token or a space stood.
  private static func units(_ text: [UInt8], showing shown: [UInt8]) -> [Unit] {
    let common = zip(text.reversed(), shown.reversed()).prefix { $0 == $1 }.count
    return shown.dropLast(common).map { Unit(compared: nil, shown: $0) } + text.dropLast(common).map { Unit(compared: $0, shown: nil) }
      + text.suffix(common).map { Unit(compared: $0, shown: $0) }
  }

  /// Returns the start of the first stop string.
  private func firstStop(in bytes: [UInt8]) -> Int? {
    stops.compactMap { stop in bytes.indices.first { bytes[$0...].starts(with: stop) } }.min()
  }

  /// Returns the number of bytes at the end that may be the beginning of a stop string.
  private func longestBeginning(at bytes: [UInt8]) -> Int {
    stops.map { stop in
      stride(from: min(stop.count - 1, bytes.count), to: 0, by: -1).first { bytes.suffix($0).elementsEqual(stop.prefix($0)) } ?? 0
    }.max() ?? 0
  }

  private mutating func take(_ count: Int, forgettingTheRest: Bool) -> String {
    let text = String(decoding: heldBack.prefix(count).compactMap(\.shown), as: UTF8.self)
    heldBack = forgettingTheRest ? [] : Array(heldBack.dropFirst(count))
    return text
  }
}
