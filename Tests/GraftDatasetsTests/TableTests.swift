import Foundation
import GraftDatasets
import GraftJSON
import GraftTestSupport
import Testing

@Suite struct TableTests {
  private func records(_ text: String, _ name: String, _ layout: TableLayout = TableLayout()) throws -> [DataRecord] {
    let folder = try TemporaryDirectory()
    return try DataFile.records(of: folder.write(text.utf8, to: name), layout: layout)
  }

  private func texts(_ records: [DataRecord], _ key: String) -> [String] { records.map { $0.fields[key]?.string ?? "-" } }

  /// GLUE's files and most others: a speech may begin in one row and end in another.
  @Test func quotesInTabSeparatedFilesAreText() throws {
    let tsv = "text\tlabel\n\"I was here first\tx\nfine \"day\"\ty\nand you were not\"\tx\n"
    let found = try records(tsv, "d.tsv")
    #expect(texts(found, "text") == ["\"I was here first", "fine \"day\"", "and you were not\""])
    #expect(found.map(\.line) == [2, 3, 4])
    let quoted = try records("text\tlabel\n\"a\tb\nc\"\tx\n\"d\"\ty\n", "d.tsv", TableLayout(quoting: .csv))
    #expect(texts(quoted, "text") == ["a\tb\nc", "d"] && quoted.map(\.lineCount) == [2, 1])
  }

  @Test func commasMayBeUnquotedToo() throws {
    let found = try records("a,b\n\"x,y\"\n", "d.csv", TableLayout(quoting: TableQuoting.none))
    #expect(found.map(\.fields) == [["a": "\"x", "b": "y\""]])
  }

  @Test func anyCharacterMayStandBetweenFields() throws {
    let found = try records("text;label\na,b;1\n", "d.csv", TableLayout(delimiter: TableLayout.delimiter(named: ";")))
    #expect(found.map(\.fields) == [["text": "a,b", "label": "1"]])
    #expect(TableLayout.delimiter(named: "\\t") == 9 && TableLayout.delimiter(named: "\t") == 9)
    for name in ["", ";;", "é", "\"", "\n"] { #expect(TableLayout.delimiter(named: name) == nil, "\(name)") }
  }

  @Test func withoutAHeaderColumnsAreNumbered() throws {
    let found = try records("good film,1\nbad film,0\n", "d.csv", TableLayout(hasHeader: false))
    #expect(found.map(\.fields) == [["1": "good film", "2": "1"], ["1": "bad film", "2": "0"]])
    #expect(found.map(\.line) == [1, 2])
  }

  @Test func rowsOverSeveralLinesAreNamed() throws {
    let notes = DataNotes()
    notes.sayLongRows(try records("a,b\n1,2\n\"x\ny\nz\",3\n\"v\nw\",4\n", "d.csv"))
    #expect(notes.all.count == 1)
    #expect(notes.all[0].contains("d.csv:3: a field in quotes goes on to line 5, as do 1 more rows"))
    let quiet = DataNotes()
    quiet.sayLongRows(try records("a,b\n1,\"2\"\n", "d.csv"))
    #expect(quiet.all.isEmpty)
  }

  /// Twice the columns take twice the time, not four times it.
  @Test(.timeLimit(.minutes(1))) func manyColumnsAreReadInLinearTime() throws {
    func seconds(_ count: Int) throws -> Double {
      let header = (0..<count).map { "column\($0)" }.joined(separator: ",")
      let row = Array(repeating: "1", count: count).joined(separator: ",")
      let start = ContinuousClock.now
      let found = try records("\(header)\n\(row)\n", "d.csv")
      #expect(found[0].fields.count == count)
      return (ContinuousClock.now - start) / .seconds(1)
    }
    _ = try seconds(1000)
    let small = try seconds(20_000)
    let large = try seconds(200_000)
    #expect(large < 40 * max(small, 0.002), "\(small) s and \(large) s")
  }

  @Test func anErrorListsTheFirstOfManyColumns() throws {
    let header = (0..<1000).map { "c\($0)" }.joined(separator: ",")
    let found = try records("\(header)\n\(header)\n", "d.csv")
    let encoder = ExampleEncoder(tokenizer: CharacterTokenizer(), task: .causalLM)
    #expect { try encoder.encodeDataset(found) } throws: { "\($0)".contains("\"c19\" and 980 more") && !"\($0)".contains("c20") }
  }
}
