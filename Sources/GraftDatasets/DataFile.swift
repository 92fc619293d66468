import Foundation
import GraftFiles
import GraftJSON

/// Reads data files into records.
public enum DataFile {
  /// Reads one file as its extension says: `.jsonl`, `.ndjson` and `.json` (records as lines, or one array of them, which in
  /// `.json` may stand in an object such as `{"data": [...]}`), `.csv` and `.tsv` (tables), `.txt` (one document).
  ///
  /// - Parameter layout: the layout of tables, where it is not as their extension says.
  /// - Throws: `DatasetError` naming the line, for a missing or empty file too.
  public static func records(of path: String, layout: TableLayout = TableLayout()) throws(DatasetError) -> [DataRecord] {
    let bytes: ArraySlice<UInt8>
    do { bytes = try TextFile.bytes(of: path) } catch {
      let kind: DatasetError.Kind = error.kind == .malformed ? .malformed : error.kind == .inputOutput ? .unreadable : .noSuchFile
      let advice = kind == .noSuchFile ? "name a .jsonl, .csv, .tsv or .txt file" : error.remedy
      throw DatasetError(file: path, line: error.line, problem: error.problem, advice: advice ?? "check the file", kind: kind)
    }
    return try records(in: bytes, named: path, layout: layout)
  }

  /// Reads the content of a file called `path`.
  private static func records(in bytes: ArraySlice<UInt8>, named path: String, layout: TableLayout) throws(DatasetError) -> [DataRecord] {
    let records: [DataRecord] =
      switch URL(fileURLWithPath: path).pathExtension.lowercased() {
      case "json":
        if let records = wholeRecords(in: bytes, file: path) { records } else { try jsonRecords(in: bytes, file: path) }
      case "jsonl", "ndjson": try jsonRecords(in: bytes, file: path)
      case "csv": try tableRecords(in: bytes, layout: layout.filled(from: .commas), file: path)
      case "tsv": try tableRecords(in: bytes, layout: layout.filled(from: .tabs), file: path)
      case "txt": document(in: bytes, file: path)
      case let other:
        throw DatasetError(
          file: path, problem: other.isEmpty ? "the file has no extension" : "'.\(other)' files are not known",
          advice: "use .jsonl, .csv, .tsv or .txt")
      }
    guard !records.isEmpty else {
      throw DatasetError(file: path, problem: "the file holds no records", advice: "add at least one")
    }
    return records
  }

  /// A text file is one document; an empty one is none.
  private static func document(in bytes: ArraySlice<UInt8>, file: String) -> [DataRecord] {
    bytes.isEmpty
      ? []
      : [DataRecord(["text": .string(String(decoding: bytes, as: UTF8.self))], file: file, line: 1, isDocument: true)]
  }
}
