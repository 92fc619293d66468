import GraftFiles
import GraftJSON

/// The records of several files: in memory, or, of large JSON Lines files, read when they are wanted.
public struct RecordList: Sendable {
  /// The records of one file, or of several.
  private enum Part: Sendable {
    case memory([DataRecord])
    case lines(LineFile, RecordLayout, DataNotes)

    var count: Int {
      switch self {
      case .memory(let records): records.count
      case .lines(let file, _, _): file.count
      }
    }
  }

  private var parts: [Part] = []
  /// The number of records before each part.
  private var starts: [Int] = []
  private var partCount = 0
  /// The records that are in the list, where these are not all of the parts.
  private var chosen: [Int32]?

  /// Records in memory.
  public init(_ records: [DataRecord] = []) { append(.memory(records)) }

  /// The records of files in order, under our names for their columns.
  ///
  /// - Parameters:
  ///   - paths: files, or patterns of their names.
  ///   - readingLimit: the most bytes of a JSON Lines file that is held in memory whole.
  /// - Throws: `DatasetError` and `FileError` for files that cannot be read, and for a record where all are read at once.
  public init(
    of paths: [String], layout: RecordLayout = RecordLayout(), notes: DataNotes = DataNotes(), readingLimit: Int = DataFile.readingLimit
  ) throws {
    for path in try DataFile.expanded(paths) {
      if let file = try DataFile.lines(of: path, above: readingLimit) {
        append(.lines(file, layout, notes))
      } else {
        let records = try DataFile.records(of: path, layout: layout.table)
        notes.sayLongRows(records)
        append(.memory(try layout.applied(to: records, notes)))
      }
    }
  }

  private mutating func append(_ part: Part) {
    guard part.count > 0 else { return }
    starts.append(partCount)
    parts.append(part)
    partCount += part.count
  }

  /// The number of records.
  public var count: Int { chosen?.count ?? partCount }

  /// True where there is no record.
  public var isEmpty: Bool { count == 0 }

  /// True where some of the records are not in memory.
  public var isLarge: Bool {
    parts.contains { if case .lines = $0 { true } else { false } }
  }

  /// The record of an index.
  ///
  /// - Throws: `FileError` and `DatasetError` for one that is not in memory and cannot be read.
  public subscript(index: Int) -> DataRecord {
    get throws {
      let (part, place) = place(of: index)
      switch part {
      case .memory(let records): return records[place]
      case .lines(let file, let layout, let notes): return try layout.applied(to: [try file.record(place)], notes)[0]
      }
    }
  }

  /// The first record; nil where there is none.
  ///
  /// - Throws: as the subscript does.
  public var first: DataRecord? { get throws { isEmpty ? nil : try self[0] } }

  /// The path of the file that a record is in.
  public func file(of index: Int) -> String {
    let (part, place) = place(of: index)
    return switch part {
    case .memory(let records): records[place].file
    case .lines(let file, _, _): file.name
    }
  }

  private func place(of index: Int) -> (part: Part, index: Int) {
    let index = chosen.map { Int($0[index]) } ?? index
    let part = (starts.firstIndex { $0 > index } ?? starts.count) - 1
    return (parts[part], index - starts[part])
  }

  /// Some of the records, in the order of `indices`.
  public func choosing(_ indices: [Int]) -> RecordList {
    var list = self
    list.chosen = indices.map { chosen?[$0] ?? Int32($0) }
    return list
  }

  /// The records of one list behind those of another.
  public static func + (a: RecordList, b: RecordList) -> RecordList {
    var list = RecordList()
    for operand in [a, b] {
      for part in operand.parts { list.append(part) }
    }
    guard a.chosen != nil || b.chosen != nil else { return list }
    list.chosen = (a.chosen ?? Array(0..<Int32(a.partCount))) + (b.chosen ?? Array(0..<Int32(b.partCount))).map { $0 + Int32(a.partCount) }
    return list
  }

  /// True where every record is a whole `.txt` file.
  public var areDocuments: Bool {
    parts.allSatisfy { if case .memory(let records) = $0 { records.allSatisfy(\.isDocument) } else { false } }
  }

  /// The layouts by which files that are not in memory are read.
  var layoutIdentity: String {
    parts.map { part in
      guard case .lines(_, let layout, _) = part else { return "" }
      return "\(layout.columns.sorted { $0.key < $1.key }) \(layout.format.rawValue)"
    }.joined(separator: "\n")
  }

  /// The words before the SHA-256 of files that are not in memory.
  package static let fileMark = "files:"

  /// The SHA-256 of the records' content, wherever they stand; of the bytes of files that are not in memory, behind `fileMark`.
  package var sha256: String {
    get throws {
      var hasher = SHA256()
      guard isLarge else {
        for index in 0..<count { hasher.update(JSON.object(try self[index].fields).serialized() + "\n") }
        return hasher.finalize()
      }
      for part in parts {
        switch part {
        case .memory(let records): for record in records { hasher.update(JSON.object(record.fields).serialized() + "\n") }
        case .lines(let file, _, _): hasher.update(file.sha256 + "\n")
        }
      }
      chosen?.withUnsafeBytes { hasher.update($0) }
      return Self.fileMark + hasher.finalize()
    }
  }
}
