/// A table with a header row, numbers set to the right.
package struct HTMLTable: Sendable {
  package struct Column: Sendable {
    package var title: String
    package var isNumeric: Bool

    package init(_ title: String, isNumeric: Bool = false) {
      self.title = title
      self.isNumeric = isNumeric
    }
  }

  package var columns: [Column]
  package var rows: [[String]]
  /// Rows set in bold.
  package var emphasizedRows: Set<Int>

  package init(columns: [Column], rows: [[String]], emphasizedRows: Set<Int> = []) {
    self.columns = columns
    self.rows = rows
    self.emphasizedRows = emphasizedRows
  }

  package var html: HTML {
    let header = columns.map { HTML("<th scope=\"col\"\(Self.cell($0))>\(text: $0.title)</th>") }
    let body = rows.enumerated().map { index, row in
      let cells = zip(columns, row).enumerated().map { position, pair in
        position == 0
          ? HTML("<th scope=\"row\"\(Self.cell(pair.0))>\(text: pair.1)</th>")
          : HTML("<td\(Self.cell(pair.0))>\(text: pair.1)</td>")
      }
      return HTML("<tr\(emphasizedRows.contains(index) ? HTML(" class=\"best\"") : "")>\(cells)</tr>\n")
    }
    return "<div class=\"table\"><table>\n<thead><tr>\(header)</tr></thead>\n<tbody>\n\(body)</tbody></table></div>"
  }

  private static func cell(_ column: Column) -> HTML { column.isNumeric ? " class=\"number\"" : "" }

  /// Names with their values, without a header row.
  package static func pairs(_ pairs: [(label: String, value: String)]) -> HTML {
    let rows = pairs.map { HTML("<tr><th scope=\"row\">\(text: $0.label)</th><td>\(text: $0.value)</td></tr>\n") }
    return "<div class=\"table\"><table class=\"pairs\"><tbody>\n\(rows)</tbody></table></div>"
  }
}
