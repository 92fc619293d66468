import Synchronization

/// Remarks on what was read: what was inferred, dropped or changed, each of them said once, those on one file in one line.
public final class DataNotes: Sendable {
  private let said = Mutex<[(file: String?, remarks: [String])]>([])

  /// No notes.
  public init() {}

  /// Adds a remark unless it stands here already.
  public func say(_ text: String, of file: String? = nil) {
    said.withLock { said in
      guard let index = said.firstIndex(where: { $0.file == file && file != nil }) else {
        if !said.contains(where: { $0.file == file && $0.remarks == [text] }) { said.append((file, [text])) }
        return
      }
      if !said[index].remarks.contains(text) { said[index].remarks.append(text) }
    }
  }

  /// Says which keys of a file nobody reads.
  func sayUnread(_ keys: [String], _ kind: String, of file: String) {
    guard !keys.isEmpty else { return }
    let names = keys.prefix(8).map { "\"\($0)\"" }.joined(separator: ", ") + (keys.count > 8 ? " and \(keys.count - 8) more" : "")
    say("nothing reads the \(kind) \(names)", of: file)
  }

  /// All remarks, one line a file, in the order in which they came.
  public var all: [String] {
    said.withLock { said in
      said.map { entry in (entry.file.map { "\($0): " } ?? "") + entry.remarks.joined(separator: "; ") }
    }
  }
}
