import GraftConfiguration

/// The layout of a table of text; where it is nil, the file's extension decides.
public struct TableLayout: Sendable, Equatable {
  /// The delimiter between two fields: a comma in `.csv`, a tab in `.tsv`.
  public var delimiter: UInt8?
  /// The meaning of quotes: in `.csv` they enclose fields, in `.tsv` they are part of the text.
  public var quoting: TableQuoting?
  /// True where the first row names the columns; otherwise they are called `1`, `2` and so on.
  public var hasHeader: Bool

  /// - Parameters:
  ///   - delimiter: the byte between fields; nil is what the file's name implies.
  ///   - quoting: the meaning of quotes; nil is what the file's name implies.
  public init(delimiter: UInt8? = nil, quoting: TableQuoting? = nil, hasHeader: Bool = true) {
    (self.delimiter, self.quoting, self.hasHeader) = (delimiter, quoting, hasHeader)
  }

  /// The layout of `.tsv` files, of which hardly any writer quotes.
  static let tabs = TableLayout(delimiter: UInt8(ascii: "\t"), quoting: TableQuoting.none)
  /// The layout of `.csv` files (RFC 4180).
  static let commas = TableLayout(delimiter: UInt8(ascii: ","), quoting: .csv)

  /// The same, with what it leaves open taken from `standard`.
  func filled(from standard: TableLayout) -> TableLayout {
    TableLayout(delimiter: delimiter ?? standard.delimiter, quoting: quoting ?? standard.quoting, hasHeader: hasHeader)
  }

  /// The byte of a delimiter as people write it: one ASCII character, or the name of the tab.
  public static func delimiter(named name: String) -> UInt8? {
    if name == "\\t" || name == "tab" { return UInt8(ascii: "\t") }
    guard name.utf8.count == 1, let byte = name.utf8.first, byte < 0x80, !"\"\r\n".utf8.contains(byte) else { return nil }
    return byte
  }
}

/// The meaning of quotes in a table.
public enum TableQuoting: String, ConfigChoice {
  /// They are part of the text.
  case none
  /// They enclose fields that may hold delimiters and line ends; a doubled one is one (RFC 4180).
  case csv
}
