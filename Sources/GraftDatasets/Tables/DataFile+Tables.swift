import GraftJSON

extension DataFile {
  /// The rows of a table, mostly under a header row that names the columns. Every value is a text; empty lines are skipped.
  ///
  /// - Parameter layout: whole, without open members.
  /// - Throws: `DatasetError` for two columns of one name, and a row of another number of fields than the first.
  static func tableRecords(in bytes: ArraySlice<UInt8>, layout: TableLayout, file: String) throws(DatasetError) -> [DataRecord] {
    var scanner = RowScanner(bytes: bytes, layout: layout, file: file)
    guard let first = try scanner.nextRow() else { return [] }
    let names = layout.hasHeader ? first.fields : first.fields.indices.map { String($0 + 1) }
    if layout.hasHeader { try requireDistinct(names, file: file, line: first.line) }
    var records = layout.hasHeader ? [] : [record(of: first, names, file)]
    while let row = try scanner.nextRow() {
      guard row.fields.count == names.count else {
        throw DatasetError(
          file: file, line: row.line,
          problem: "the row has \(row.fields.count) fields, the \(layout.hasHeader ? "header" : "first row") \(names.count)",
          advice: layout.quoting == .csv
            ? "put fields that hold separators, quotes or line ends in quotes" : "correct it, or set data.quoting: csv if its quotes enclose fields")
      }
      records.append(record(of: row, names, file))
    }
    return records
  }

  private static func record(of row: TableRow, _ names: [String], _ file: String) -> DataRecord {
    let fields = JSONObject(zip(names, row.fields).map { ($0, JSON.string($1)) })
    return DataRecord(fields, file: file, line: row.line, isRow: true, lineCount: row.lineCount)
  }

  private static func requireDistinct(_ names: [String], file: String, line: Int) throws(DatasetError) {
    var seen: Set<String> = []
    for name in names where !seen.insert(name).inserted {
      throw DatasetError(
        file: file, line: line, problem: "two columns are called \"\(name)\"",
        advice: "give each a name of its own, or set data.header: false where the first row is data")
    }
  }
}
