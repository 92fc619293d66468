import Foundation
import GraftJSON

/// Reads data files into records.
public enum DataFile {
  /// Reads one file as its extension says: `.jsonl`, `.ndjson` and `.json` (records as lines, or one array of them),
  /// `.csv` and `.tsv` (with a header row), `.txt` (one document).
  ///
  /// - Throws: `DatasetError` naming the line, for a missing or empty file too.
  public static func records(of path: String) throws(DatasetError) -> [DataRecord] {
    var isDirectory: ObjCBool = false
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory), !isDirectory.boolValue else {
      throw DatasetError(
        file: path, problem: isDirectory.boolValue ? "a folder is no data file" : "there is no such file",
        advice: "name a .jsonl, .csv, .tsv or .txt file", kind: .noSuchFile)
    }
    let data: Data
    do { data = try Data(contentsOf: URL(fileURLWithPath: path), options: .mappedIfSafe) } catch {
      throw DatasetError(
        file: path, problem: "the file cannot be read", advice: "check its permissions", kind: .noSuchFile)
    }
    return try records(in: data, named: path)
  }

  /// Reads the content of a file called `path`.
  static func records(in data: Data, named path: String) throws(DatasetError) -> [DataRecord] {
    var bytes = [UInt8](data)[...]
    if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { bytes = bytes.dropFirst(3) }
    if let bad = firstInvalidByte(of: bytes) {
      throw DatasetError(
        file: path, line: lineNumber(of: bad, in: bytes),
        problem: "the byte 0x\(String(bytes[bad], radix: 16, uppercase: true)) is not UTF-8",
        advice: "save the file as UTF-8")
    }
    let records: [DataRecord] =
      switch URL(fileURLWithPath: path).pathExtension.lowercased() {
      case "jsonl", "ndjson", "json": try jsonRecords(in: bytes, file: path)
      case "csv": try delimitedRecords(in: bytes, separator: UInt8(ascii: ","), file: path)
      case "tsv": try delimitedRecords(in: bytes, separator: UInt8(ascii: "\t"), file: path)
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

  static func lineNumber(of position: Int, in bytes: ArraySlice<UInt8>) -> Int {
    bytes[..<position].reduce(1) { $0 + ($1 == UInt8(ascii: "\n") ? 1 : 0) }
  }

  /// The index of the first byte that no UTF-8 text has there; nil for UTF-8 text.
  private static func firstInvalidByte(of bytes: ArraySlice<UInt8>) -> Int? {
    guard String(validating: bytes, as: UTF8.self) == nil else { return nil }
    var decoder = UTF8.ForwardParser()
    var iterator = bytes.makeIterator()
    var position = bytes.startIndex
    while true {
      switch decoder.parseScalar(from: &iterator) {
      case .valid(let scalar): position += scalar.count
      case .emptyInput: return nil
      case .error: return position
      }
    }
  }
}
