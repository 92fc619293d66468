import GraftJSON

/// One label as a data file writes it: a text that reads as a number is one, as in the columns of a table.
enum LabelValue: Hashable {
  /// Nothing, an empty text or null.
  case missing
  case integer(Int)
  case number(Double)
  case text(String)

  /// Nil for a list or an object.
  init?(_ value: JSON) {
    switch value {
    case .null: self = .missing
    case .bool(let flag): self = .text(flag ? "true" : "false")
    case .integer(let integer): self = .integer(integer)
    case .number(let number): self = .number(number)
    case .string(let text): self = Self.read(text)
    case .array, .object: return nil
    }
  }

  private static func read(_ text: String) -> LabelValue {
    let bare = text.trimmedSpaces
    if bare.isEmpty { return .missing }
    if let integer = Int(bare) {
      // A code such as 007 is a name.
      return String(integer) == bare ? .integer(integer) : .text(text)
    }
    // `Double` alone would take "nan", "infinity" and "0x1p3" for numbers.
    let isDecimal = bare.utf8.allSatisfy { "0123456789+-.eE".utf8.contains($0) }
    if isDecimal, let number = Double(bare), number.isFinite { return .number(number) }
    return .text(text)
  }

  /// The value of a number.
  var double: Double? {
    switch self {
    case .integer(let integer): Double(integer)
    case .number(let number): number
    case .missing, .text: nil
    }
  }

  /// A whole number, however it is written.
  var int: Int? {
    switch self {
    case .integer(let integer): integer
    case .number(let number): Int(exactly: number)
    case .missing, .text: nil
    }
  }

  /// The name of the class that it is; nil where it is missing.
  var className: String? {
    switch self {
    case .missing: nil
    case .integer(let integer): String(integer)
    case .number(let number): int.map(String.init) ?? String(number)
    case .text(let text): text
    }
  }

  /// Texts that stand for a missing cell in a column of numbers, as pandas reads them.
  static let missingMarkers: Set<String> = [
    "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A", "NA", "NULL", "NaN",
    "None", "n/a", "nan", "null",
  ]
}

extension String {
  fileprivate var trimmedSpaces: Substring {
    guard let first = utf8.firstIndex(where: { $0 != 0x20 && $0 != 0x09 }),
      let last = utf8.lastIndex(where: { $0 != 0x20 && $0 != 0x09 })
    else { return "" }
    return self[first...last]
  }
}

extension DataRecord {
  /// The label of the record, in whichever of the columns it stands; a list in a cell of a table is read as JSON.
  func labelField() throws(DatasetError) -> JSON {
    guard let value = fields["label"] ?? fields["labels"] else { throw missing("label") }
    if isRow, let text = value.string, text.hasPrefix("["), let list = try? JSON(parsing: text) { return list }
    return value
  }

  /// The name of the column that has the label.
  var labelColumn: String { fields.contains("label") ? "label" : "labels" }

  func missingLabel() -> DatasetError {
    error("\"\(labelColumn)\" is empty", "write the label, or leave the record out")
  }
}
