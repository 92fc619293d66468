/// The same table for texts of other kinds.
extension HTMLTable {
  /// The table in Markdown as GitHub and Pandoc read it.
  package var markdown: String {
    func line(_ cells: [String]) -> String { "| " + cells.joined(separator: " | ") + " |\n" }
    let rule = columns.map { $0.isNumeric ? "---:" : "---" }
    let body = rows.enumerated().map { index, row in
      line(zip(columns, row).map { emphasizedRows.contains(index) && !$1.isEmpty ? "**\(Self.markdown($1))**" : Self.markdown($1) })
    }
    return line(columns.map { Self.markdown($0.title) }) + line(rule) + body.joined()
  }

  /// The table as a `tabular` of LaTeX, with the rules of `booktabs`.
  package var latex: String {
    func line(_ cells: [String]) -> String { cells.joined(separator: " & ") + " \\\\\n" }
    let alignment = columns.map { $0.isNumeric ? "r" : "l" }.joined()
    let body = rows.enumerated().map { index, row in
      line(zip(columns, row).map { emphasizedRows.contains(index) && !$1.isEmpty ? "\\textbf{\(Self.latex($1))}" : Self.latex($1) })
    }
    return "% \\usepackage{booktabs}\n\\begin{tabular}{\(alignment)}\n\\toprule\n" + line(columns.map { Self.latex($0.title) }) + "\\midrule\n"
      + body.joined() + "\\bottomrule\n\\end{tabular}\n"
  }

  /// Text in which nothing means something to Markdown.
  private static func markdown(_ text: String) -> String {
    text.reduce(into: "") { written, character in
      switch character {
      case "|", "*", "_", "`", "<", "[", "]", "\\": written += "\\" + String(character)
      case _ where character.isNewline: written += " "
      default: written.append(character)
      }
    }
  }

  /// Text in which nothing means something to LaTeX.
  private static func latex(_ text: String) -> String {
    text.reduce(into: "") { written, character in
      switch character {
      case "&", "%", "$", "#", "_", "{", "}": written += "\\" + String(character)
      case "\\": written += "\\textbackslash{}"
      case "~": written += "\\textasciitilde{}"
      case "^": written += "\\textasciicircum{}"
      case "–": written += "--"
      case "−": written += "$-$"
      case "±": written += "$\\pm$"
      case "∞": written += "$\\infty$"
      case _ where character.isNewline: written += " "
      default: written.append(character)
      }
    }
  }
}
