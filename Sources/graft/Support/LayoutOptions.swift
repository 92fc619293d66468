import ArgumentParser
import GraftDatasets
import GraftSessions

/// The form of a data file and its names of columns and roles, as a recipe's `data` says it.
struct LayoutOptions: ParsableArguments {
  @Option(help: ArgumentHelp("What the file calls a column (repeatable): prompt=question.", valueName: "column=name"))
  var column: [String] = []

  @Option(help: ArgumentHelp("What the chat template calls a role of the file (repeatable): gpt=assistant.", valueName: "role=name"))
  var role: [String] = []

  @Option(help: "Whether quotes enclose the fields of a table: csv | none (default: csv, in .tsv none).") var quoting: TableQuoting?

  @Option(help: ArgumentHelp("What stands between two fields of a table (default: a comma, in .tsv a tab).", valueName: "character"))
  var delimiter: String?

  @Flag(help: "The table has no header row; its columns are called 1, 2, ...") var noHeader = false

  func validate() throws {
    if let delimiter, TableLayout.delimiter(named: delimiter) == nil {
      throw ValidationError("--delimiter: \"\(delimiter)\" is not one ASCII character")
    }
    for (option, values) in [("--column", column), ("--role", role)] {
      for value in values where value.split(separator: "=", maxSplits: 1).count != 2 {
        throw ValidationError("\(option): \"\(value)\" has no name on both sides of \"=\"")
      }
    }
    for name in Self.map(column).keys.sorted() where !DataFormat.allColumns.contains(name) {
      throw ValidationError("--column: no format has a column \"\(name)\"; use one of \(DataFormat.allColumns.joined(separator: ", "))")
    }
  }

  func apply(to session: ModelSession) {
    session.layout = RecordLayout(
      columns: Self.map(column),
      table: TableLayout(delimiter: delimiter.flatMap(TableLayout.delimiter), quoting: quoting, hasHeader: !noHeader))
    session.roles = Self.map(role)
  }

  private static func map(_ values: [String]) -> [String: String] {
    let pairs = values.map { $0.split(separator: "=", maxSplits: 1).map(String.init) }.filter { $0.count == 2 }
    return Dictionary(pairs.map { ($0[0], $0[1]) }) { _, last in last }
  }
}

extension TableQuoting: ExpressibleByArgument {}

extension SharedOptions {
  /// Says what the data's remarks are, unless results alone are wanted.
  func say(_ notes: DataNotes) { say(notes.all) }

  /// Says what is worth knowing, a sentence each, unless results alone are wanted.
  func say(_ notes: [String]) {
    guard !quiet else { return }
    for note in notes { Console.note("note: \(note)") }
  }
}
