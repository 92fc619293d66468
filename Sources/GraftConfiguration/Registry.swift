import Synchronization

/// The entries of one kind by their names: those of the package, and those that a program adds.
///
/// Recipes, checkpoints and adapter files name entries; the registry resolves the names. It may be used from several threads. A program
/// registers an entry before it reads a file that names it.
public final class Registry<Entry: Sendable>: Sendable {
  private struct Table {
    var entries: [Entry] = []
    var indices: [String: Int] = [:]
  }

  /// The key whose values the names are, such as `model_type`.
  public let key: String
  private let name: @Sendable (Entry) -> String
  private let table: Mutex<Table>

  /// A registry that knows the entries of the package, in order.
  /// - Parameters:
  ///   - key: the key whose values the names are, for messages.
  ///   - name: the name of an entry. Where two entries have one name, the first is found by it.
  public init(_ key: String, _ entries: [Entry] = [], name: @escaping @Sendable (Entry) -> String) {
    self.key = key
    self.name = name
    let indices = Dictionary(entries.enumerated().map { (name($1), $0) }) { first, _ in first }
    table = Mutex(Table(entries: entries, indices: indices))
  }

  /// The entries in the order in which they were added.
  public var entries: [Entry] { table.withLock { $0.entries } }

  /// The names of the entries in the order in which they were added.
  public var names: [String] { entries.map(name) }

  /// The entry with a name; nil where there is none.
  public subscript(name: String) -> Entry? { table.withLock { table in table.indices[name].map { table.entries[$0] } } }

  /// Adds an entry.
  /// - Throws: `RegistryError` where its name is taken.
  public func register(_ entry: Entry) throws(RegistryError) {
    let name = name(entry)
    let isTaken = table.withLock { table in
      guard table.indices[name] == nil else { return true }
      table.indices[name] = table.entries.count
      table.entries.append(entry)
      return false
    }
    if isTaken { throw RegistryError(key: key, name: name) }
  }

  /// Advice for a name that nothing has: the nearest one, else all.
  public func advice(for name: String) -> String { NearestName.advice(for: name, among: names) }
}

/// A name that another entry of a registry has already.
public struct RegistryError: Error, Equatable, CustomStringConvertible {
  /// The key by which entries are named.
  public let key: String
  /// The name that is taken.
  public let name: String

  public var description: String { "\(key): \"\(name)\" is registered already; choose another name" }
}
