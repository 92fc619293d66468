import Synchronization

/// Remarks on what was read: what was inferred, dropped or changed, each of them said once.
public final class DataNotes: Sendable {
  private let said = Mutex<[String]>([])

  public init() {}

  /// Adds a remark unless it stands here already.
  public func say(_ text: String) {
    said.withLock { if !$0.contains(text) { $0.append(text) } }
  }

  /// All remarks, in the order in which they came.
  public var all: [String] { said.withLock { $0 } }
}
