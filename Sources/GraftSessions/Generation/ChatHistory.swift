import GraftJSON

/// The messages of a conversation, as chat templates read them.
struct ChatHistory: Sendable {
  private(set) var messages: [JSON]
  /// 1 with a system message, which is never dropped.
  private let keptCount: Int

  init(system: String?) {
    messages = system.map { [Self.message(role: "system", $0)] } ?? []
    keptCount = messages.count
  }

  mutating func append(role: String, _ content: String) { messages.append(Self.message(role: role, content)) }

  mutating func reset() { messages.removeLast(messages.count - keptCount) }

  /// Drops the oldest of the user's messages with its answer.
  /// - Returns: how many messages that were; nil where only the newest is left.
  mutating func dropOldestTurn() -> Int? {
    guard let next = messages.indices.first(where: { $0 > keptCount && messages[$0]["role"]?.string == "user" }) else { return nil }
    messages.removeSubrange(keptCount..<next)
    return next - keptCount
  }

  static func message(role: String, _ content: String) -> JSON { ["role": .string(role), "content": .string(content)] }
}
