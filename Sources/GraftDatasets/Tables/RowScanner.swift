/// The fields of a row of a table, and the lines it stands on.
struct TableRow {
  var fields: [String]
  var line: Int
  var lineCount: Int
}

/// Walks over the rows of a table, byte by byte, once.
struct RowScanner {
  private let bytes: ArraySlice<UInt8>
  private let delimiter: UInt8
  private let isQuoted: Bool
  private let file: String
  private var position: Int
  private var line = 1

  private static let quote = UInt8(ascii: "\"")
  private static let newline = UInt8(ascii: "\n")
  private static let carriageReturn = UInt8(ascii: "\r")

  init(bytes: ArraySlice<UInt8>, layout: TableLayout, file: String) {
    self.bytes = bytes
    self.file = file
    delimiter = layout.delimiter ?? UInt8(ascii: ",")
    isQuoted = layout.quoting != TableQuoting.none
    position = bytes.startIndex
  }

  /// The next row that is not an empty line.
  mutating func nextRow() throws(DatasetError) -> TableRow? {
    while position < bytes.endIndex {
      let start = line
      let isEmptyLine = isAtLineEnd
      var fields = [try field()]
      while position < bytes.endIndex, bytes[position] == delimiter {
        position += 1
        fields.append(try field())
      }
      let end = line
      endLine()
      if !isEmptyLine { return TableRow(fields: fields, line: start, lineCount: end - start + 1) }
    }
    return nil
  }

  /// True where a line ends here: by a newline, alone or behind a carriage return, or with the file.
  private var isAtLineEnd: Bool {
    guard position < bytes.endIndex else { return true }
    if bytes[position] == Self.newline { return true }
    guard bytes[position] == Self.carriageReturn else { return false }
    return position + 1 == bytes.endIndex || bytes[position + 1] == Self.newline
  }

  private mutating func endLine() {
    if position < bytes.endIndex, bytes[position] == Self.carriageReturn { position += 1 }
    guard position < bytes.endIndex, bytes[position] == Self.newline else { return }
    position += 1
    line += 1
  }

  private mutating func field() throws(DatasetError) -> String {
    guard isQuoted, position < bytes.endIndex, bytes[position] == Self.quote else { return plainField() }
    return try quotedField()
  }

  private mutating func plainField() -> String {
    let start = position
    while position < bytes.endIndex, bytes[position] != delimiter, !isAtLineEnd { position += 1 }
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
        guard isAtLineEnd || bytes[position] == delimiter else {
          throw DatasetError(
            file: file, line: line, problem: "text follows a closing quote",
            advice: "double the quotes inside a quoted field, or set data.quoting: none if quotes are part of the text")
        }
        return String(decoding: text, as: UTF8.self)
      }
    }
    throw DatasetError(
      file: file, line: opening, problem: "a quote is never closed",
      advice: "close it, double it, or set data.quoting: none if quotes are part of the text")
  }
}
