/// A text too long to be shown whole, as an argument of a test.
public struct HostileText: Sendable, CustomStringConvertible {
  public let text: String

  public init(_ text: String) { self.text = text }

  /// The text's beginning and length.
  public var description: String {
    text.count <= 40 ? text : "\(text.prefix(40).replacingOccurrences("\n", by: " "))... (\(text.utf8.count) bytes)"
  }
}

extension Substring {
  fileprivate func replacingOccurrences(_ character: Character, by other: Character) -> String { String(map { $0 == character ? other : $0 }) }
}
