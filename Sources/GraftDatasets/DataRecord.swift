import GraftJSON

/// One record of a data file, and where it stands.
public struct DataRecord: Sendable, Equatable {
  /// The fields of the record, under our names where a layout gave them.
  public var fields: JSONObject
  /// The path of the file.
  public var file: String
  /// The line on which the record begins, counted from 1.
  public var line: Int
  /// True for a whole `.txt` file: a document to be cut into windows.
  public var isDocument: Bool
  /// True for a row of a table, whose cells are all texts and of which an empty one says nothing.
  public var isRow: Bool
  /// The lines that the record takes up.
  public var lineCount: Int

  /// - Parameter line: the line on which the record begins, counted from 1.
  public init(_ fields: JSONObject, file: String, line: Int, isDocument: Bool = false, isRow: Bool = false, lineCount: Int = 1) {
    self.fields = fields
    self.file = file
    self.line = line
    self.isDocument = isDocument
    self.isRow = isRow
    self.lineCount = lineCount
  }

  func error(_ problem: String, _ advice: String) -> DatasetError {
    DatasetError(file: file, line: isDocument ? nil : line, problem: problem, advice: advice)
  }
}

extension DataRecord {
  /// The text in column `key`.
  func text(_ key: String) throws(DatasetError) -> String {
    guard let value = fields[key] else { throw missing(key) }
    guard let text = value.string else { throw wrongType(key, "a string", value) }
    return text
  }

  /// The text in column `key`, nil where there is none, it is null or an empty cell.
  func optionalText(_ key: String) throws(DatasetError) -> String? {
    guard let value = fields[key], !value.isNull, !(isRow && value == "") else { return nil }
    return try text(key)
  }

  func array(_ key: String) throws(DatasetError) -> [JSON] {
    guard let value = fields[key] else { throw missing(key) }
    guard let elements = value.array else { throw wrongType(key, "a list", value) }
    return elements
  }

  func texts(_ key: String) throws(DatasetError) -> [String] {
    var texts: [String] = []
    for element in try array(key) {
      guard let text = element.string else { throw wrongType(key, "a list of strings", element) }
      texts.append(text)
    }
    return texts
  }

  /// The names of the columns as an error lists them, the first few of many.
  var columnList: String {
    let names = fields.prefix(20).map { "\"\($0.key)\"" }.joined(separator: ", ")
    return fields.count > 20 ? "\(names) and \(fields.count - 20) more" : names
  }

  /// Advice for a table whose first row, which should name its columns, looks like data; nil for any other record.
  var headerAdvice: String? {
    func isData(_ name: String) -> Bool { name.isEmpty || Double(name) != nil || name.contains(" ") || name.utf8.count > 40 }
    guard isRow, fields.contains(where: { isData($0.key) }), !fields.keys.elementsEqual((1...fields.count).map(String.init)) else { return nil }
    return "the first row looks like data instead of names: set data.header: false, and data.columns with the numbers of columns, as in {text: \"1\"}"
  }

  func missing(_ key: String) -> DatasetError {
    error("the record has no \"\(key)\", only \(columnList)", "add it, or name the format in data.format")
  }

  func wrongType(_ key: String, _ expected: String, _ found: JSON) -> DatasetError {
    error("\"\(key)\" is \(found.kindDescription), not \(expected)", "write \(expected)")
  }
}
