import GraftFiles
import GraftJSON

extension DataFile {
  /// One JSON object a line, empty lines skipped; or the objects of one JSON array.
  static func jsonRecords(in bytes: ArraySlice<UInt8>, file: String) throws(DatasetError) -> [DataRecord] {
    if let first = bytes.first(where: { !isSpace($0) }), first == UInt8(ascii: "[") {
      return try arrayRecords(in: bytes, file: file)
    }
    var records: [DataRecord] = []
    var line = 0
    for text in bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false) {
      line += 1
      guard text.contains(where: { !isSpace($0) }) else { continue }
      records.append(try jsonRecord(in: text, file: file, line: line))
    }
    return records
  }

  /// The record of a line that is not empty.
  static func jsonRecord(in text: ArraySlice<UInt8>, file: String, line: Int) throws(DatasetError) -> DataRecord {
    let json: JSON
    do { json = try JSON(parsing: text) } catch {
      throw DatasetError(
        file: file, line: line, problem: "not JSON, at column \(error.column): \(error.message)",
        advice: "write one JSON object a line")
    }
    guard let fields = json.object else {
      throw DatasetError(
        file: file, line: line, problem: "the line is \(json.kindDescription), not an object",
        advice: #"write {"key": value, ...}"#)
    }
    return DataRecord(fields, file: file, line: line)
  }

  /// The records of a file that is one object over any number of lines: the object itself, or those of the list that is all it
  /// holds; nil where the file is no such object.
  static func wholeRecords(in bytes: ArraySlice<UInt8>, file: String) -> [DataRecord]? {
    guard let start = bytes.firstIndex(where: { !isSpace($0) }), bytes[start] == UInt8(ascii: "{"),
      let whole = (try? JSON(parsing: bytes))?.object
    else { return nil }
    guard whole.count == 1, !DataFormat.isColumn(whole[0].key), let elements = whole[0].value.array, elements.allSatisfy({ $0.object != nil })
    else { return [DataRecord(whole, file: file, line: TextFile.lineNumber(of: start, in: bytes))] }
    let lines = objectLines(in: bytes, depth: 2)
    return elements.enumerated().map { index, element in
      DataRecord(element.object ?? [:], file: file, line: index < lines.count ? lines[index] : 1)
    }
  }

  private static func arrayRecords(in bytes: ArraySlice<UInt8>, file: String) throws(DatasetError) -> [DataRecord] {
    let json: JSON
    do { json = try JSON(parsing: bytes) } catch {
      throw DatasetError(
        file: file, line: error.line, problem: "not JSON, at column \(error.column): \(error.message)",
        advice: "write one JSON object a line, or one array of objects")
    }
    let elements = json.array ?? []
    var records: [DataRecord] = []
    for (index, element) in elements.enumerated() {
      guard let fields = element.object else {
        throw DatasetError(
          file: file, problem: "element \(index) of the array is \(element.kindDescription), not an object",
          advice: #"write {"key": value, ...}"#)
      }
      records.append(DataRecord(fields, file: file, line: 1))
    }
    for (index, line) in objectLines(in: bytes).enumerated() where index < records.count { records[index].line = line }
    return records
  }

  /// The lines on which the objects at a depth of well-formed JSON begin: 1 in an array, 2 in an array in an object.
  private static func objectLines(in bytes: ArraySlice<UInt8>, depth wanted: Int = 1) -> [Int] {
    var (lines, line, depth, isInString, isEscaped) = ([Int](), 1, 0, false, false)
    for byte in bytes {
      if byte == UInt8(ascii: "\n") { line += 1 }
      if isInString {
        if !isEscaped, byte == UInt8(ascii: "\"") { isInString = false }
        isEscaped = !isEscaped && byte == UInt8(ascii: "\\")
        continue
      }
      switch byte {
      case UInt8(ascii: "\""): isInString = true
      case UInt8(ascii: "["): depth += 1
      case UInt8(ascii: "{"):
        if depth == wanted { lines.append(line) }
        depth += 1
      case UInt8(ascii: "]"), UInt8(ascii: "}"): depth -= 1
      default: break
      }
    }
    return lines
  }

  static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0D).contains(byte) }
}
