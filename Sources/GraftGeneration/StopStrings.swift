/// Lets text through up to the first of some stop strings, and never a part of one.
///
/// What may still become a stop string is held back until it is clear.
public struct StopStrings: Sendable {
  private let stops: [[UInt8]]
  private var heldBack: [UInt8] = []
  /// Whether a stop string has occurred; nothing is let through after it.
  public private(set) var hasStopped = false

  /// - Parameter stops: empty ones never occur.
  public init(_ stops: [String]) { self.stops = stops.filter { !$0.isEmpty }.map { Array($0.utf8) } }

  /// The text that can be shown once `text` has been added.
  public mutating func append(_ text: String) -> String {
    guard !hasStopped else { return "" }
    heldBack += Array(text.utf8)
    if let end = firstStop {
      hasStopped = true
      return take(end, forgettingTheRest: true)
    }
    return take(heldBack.count - longestBeginning, forgettingTheRest: false)
  }

  /// What is still held back when no more text comes.
  public mutating func finish() -> String { take(heldBack.count, forgettingTheRest: true) }

  /// Where the first stop string starts.
  private var firstStop: Int? {
    stops.compactMap { stop in heldBack.indices.first { heldBack[$0...].starts(with: stop) } }.min()
  }

  /// How many bytes at the end may be the beginning of a stop string.
  private var longestBeginning: Int {
    stops.map { stop in
      stride(from: min(stop.count - 1, heldBack.count), to: 0, by: -1).first { heldBack.suffix($0).elementsEqual(stop.prefix($0)) } ?? 0
    }.max() ?? 0
  }

  private mutating func take(_ count: Int, forgettingTheRest: Bool) -> String {
    let text = String(decoding: heldBack.prefix(count), as: UTF8.self)
    heldBack = forgettingTheRest ? [] : Array(heldBack.dropFirst(count))
    return text
  }
}
