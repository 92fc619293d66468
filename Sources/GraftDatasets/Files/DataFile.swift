import Foundation
import GraftFiles

/// Reads data files into records.
public enum DataFile {
  /// The most bytes of a JSON Lines file that is held in memory whole; it takes about six times as much there.
  public static let readingLimit = 16 << 20

  /// Reads one file as its extension says: `.jsonl`, `.ndjson` and `.json` (records as lines, or one array of them, which in
  /// `.json` may stand in an object such as `{"data": [...]}`), `.csv` and `.tsv` (tables), `.txt` (one document), `.parquet`; all but the last
  /// may be compressed (`.gz`, `.zst`).
  ///
  /// - Parameter layout: the layout of tables, where it is not as their extension says.
  /// - Throws: `DatasetError` naming the line, for a missing or empty file too.
  public static func records(of path: String, layout: TableLayout = TableLayout()) throws(DatasetError) -> [DataRecord] {
    let records: [DataRecord]
    if DataFileName(path).isParquet {
      records = try parquetRecords(of: path)
    } else {
      let bytes: ArraySlice<UInt8>
      do { bytes = try text(of: path) } catch { throw DatasetError(path, error) }
      records = try self.records(in: bytes, named: path, layout: layout)
    }
    guard !records.isEmpty else {
      throw DatasetError(file: path, problem: "the file holds no records", advice: "add at least one")
    }
    return records
  }

  /// Returns true for the name of a file, or of a pattern of names, whose ending is that of a data file.
  public static func isNamed(_ path: String) -> Bool {
    ["jsonl", "ndjson", "json", "csv", "tsv", "txt", "parquet"].contains(DataFileName(path).type)
  }

  /// Reads the content of a file called `path`.
  private static func records(in bytes: ArraySlice<UInt8>, named path: String, layout: TableLayout) throws(DatasetError) -> [DataRecord] {
    switch DataFileName(path).type {
    case "json":
      if let records = wholeRecords(in: bytes, file: path) { records } else { try jsonRecords(in: bytes, file: path) }
    case "jsonl", "ndjson": try jsonRecords(in: bytes, file: path)
    case "csv": try tableRecords(in: bytes, layout: layout.filled(from: .commas), file: path)
    case "tsv": try tableRecords(in: bytes, layout: layout.filled(from: .tabs), file: path)
    case "txt": document(in: bytes, file: path)
    case let other:
      throw DatasetError(
        file: path, problem: other.isEmpty ? "the file has no extension" : "'.\(other)' files are not known",
        advice: "use .jsonl, .csv, .tsv, .txt or .parquet")
    }
  }

  /// A text file is one document; an empty one is none.
  private static func document(in bytes: ArraySlice<UInt8>, file: String) -> [DataRecord] {
    bytes.isEmpty
      ? []
      : [DataRecord(["text": .string(String(decoding: bytes, as: UTF8.self))], file: file, line: 1, isDocument: true)]
  }

  /// The text of a file, expanded where it is compressed.
  private static func text(of path: String) throws(FileError) -> ArraySlice<UInt8> {
    guard let compression = Compression(path: path) else { return try TextFile.bytes(of: path) }
    do {
      var bytes: [UInt8] = []
      try compression.expand(RandomAccessFile(path)) {
        bytes += $0
        return true
      }
      return try TextFile.checked(bytes, of: path)
    } catch { throw error as? FileError ?? FileError(.inputOutput, path, "\(error)") }
  }
}

extension DatasetError {
  /// A data file that cannot be read.
  init(_ path: String, _ error: FileError) {
    let kind: Kind = error.kind == .malformed ? .malformed : error.kind == .inputOutput ? .unreadable : .noSuchFile
    let advice = kind == .noSuchFile ? "name a .jsonl, .csv, .tsv, .txt or .parquet file" : error.remedy
    self.init(file: path, line: error.line, problem: error.problem, advice: advice ?? "check the file", kind: kind)
  }
}

/// The name of a data file, which says how it is read.
struct DataFileName {
  /// The ending that names the type, without that of a compression: `jsonl` of `data.jsonl.gz`.
  let type: String

  init(_ path: String) {
    let url = URL(fileURLWithPath: path)
    type = (Compression(path: path) == nil ? url : url.deletingPathExtension()).pathExtension.lowercased()
  }

  var isParquet: Bool { type == "parquet" }
  var isLines: Bool { type == "jsonl" || type == "ndjson" }
}
