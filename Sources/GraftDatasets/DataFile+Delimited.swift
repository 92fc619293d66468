import GraftJSON

extension DataFile {
  /// Rows of fields under a header row that names the columns (RFC 4180: fields in quotes may hold separators, line
  /// ends and doubled quotes). Every value is a string; empty lines are skipped.
  static func delimitedRecords(in bytes: ArraySlice<UInt8>, separator: UInt8, file: String) throws(DatasetError)
    -> [DataRecord]
  {
    var scanner = DelimitedScanner(bytes: bytes, separator: separator, file: file)
    guard let header = try scanner.nextRow() else { return [] }
    if let twice = header.fields.first(where: { name in header.fields.filter { $0 == name }.count > 1 }) {
      throw DatasetError(
        file: file, line: header.line, problem: "two columns are called \"\(twice)\"",
        advice: "give each a name of its own")
    }
    var records: [DataRecord] = []
    while let row = try scanner.nextRow() {
      guard row.fields.count == header.fields.count else {
        throw DatasetError(
          file: file, line: row.line,
          problem: "the row has \(row.fields.count) fields, the header \(header.fields.count)",
          advice: "put fields that hold separators, quotes or line ends in quotes")
      }
      let members = zip(header.fields, row.fields).map { ($0, JSON.string($1)) }
      records.append(DataRecord(JSONObject(members), file: file, line: row.line))
    }
    return records
  }
}

/// Walks over the rows of a delimited file.
private struct DelimitedScanner {
  let bytes: ArraySlice<UInt8>
  let separator: UInt8
  let file: String
  private var position: Int
  private var line = 1

  private static let quote = UInt8(ascii: "\"")
  private static let newline = UInt8(ascii: "\n")
  private static let carriageReturn = UInt8(ascii: "\r")

  init(bytes: ArraySlice<UInt8>, separator: UInt8, file: String) {
    self.bytes = bytes
    self.separator = separator
    self.file = file
    position = bytes.startIndex
  }

  /// The next row that is not empty, and the line it begins on.
  mutating func nextRow() throws(DatasetError) -> (fields: [String], line: Int)? {
    while position < bytes.endIndex {
      let start = line
      let isEmptyLine =
        bytes[position] == Self.newline || bytes[position...].starts(with: [Self.carriageReturn, Self.newline])
      var fields = [try field()]
      while position < bytes.endIndex, bytes[position] == separator {
        position += 1
        fields.append(try field())
      }
      endLine()
      if !isEmptyLine { return (fields, start) }
    }
    return nil
  }

  private mutating func endLine() {
    if position < bytes.endIndex, bytes[position] == Self.carriageReturn { position += 1 }
    guard position < bytes.endIndex, bytes[position] == Self.newline else { return }
    position += 1
    line += 1
  }

  private mutating func field() throws(DatasetError) -> String {
    guard position < bytes.endIndex, bytes[position] == Self.quote else { return plainField() }
    return try quotedField()
  }

  private mutating func plainField() -> String {
    let start = position
    while position < bytes.endIndex, bytes[position] != separator, bytes[position] != Self.newline,
      !bytes[position...].starts(with: [Self.carriageReturn, Self.newline])
    {
      position += 1
    }
    return String(decoding: bytes[start..<position], as: UTF8.self)
  }

  private mutating func quotedField() throws(DatasetError) -> String {
    let opening = line
    var text: [UInt8] = []
    position += 1
    while position < bytes.endIndex {
      let byte = bytes[position]
      position += 1
      if byte != Self.quote {
        if byte == Self.newline { line += 1 }
        text.append(byte)
      } else if position < bytes.endIndex, bytes[position] == Self.quote {
        text.append(Self.quote)
        position += 1
      } else {
        guard position == bytes.endIndex || [separator, Self.newline, Self.carriageReturn].contains(bytes[position])
        else {
          throw DatasetError(
            file: file, line: line, problem: "text follows a closing quote",
            advice: "double the quotes inside a quoted field")
        }
        return String(decoding: text, as: UTF8.self)
      }
    }
    throw DatasetError(file: file, line: opening, problem: "a quote is never closed", advice: "close it, or double it")
  }
}
