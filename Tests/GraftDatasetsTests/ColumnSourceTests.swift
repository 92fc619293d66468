import GraftDatasets
import GraftJSON
import Testing

/// Columns of ours are made of places within users' columns, and of several.
@Suite struct ColumnSourceTests {
  private let squad: JSONObject = [
    "id": "1", "context": "Rome is old.", "question": "What is old?", "answers": ["text": ["Rome", "the city"], "answer_start": [0, 0]],
    "a.b": "dots",
  ]

  private func applied(_ columns: [String: String], _ fields: JSONObject, isRow: Bool = false) throws -> JSONObject {
    try RecordLayout(columns: columns).applied(to: [DataRecord(fields, file: "d.jsonl", line: 3, isRow: isRow)], DataNotes())[0].fields
  }

  @Test func placesAndTextsStandForColumns() throws {
    let fields = try applied(["prompt": "{context} Question: {question}", "completion": "answers.text.0"], squad)
    #expect(fields["prompt"] == "Rome is old. Question: What is old?" && fields["completion"] == "Rome")
    // Used columns are used up, others stay.
    #expect(fields.keys.sorted() == ["a.b", "completion", "id", "prompt"])
  }

  @Test func bracesNumbersAndNothing() throws {
    let fields = try applied(["prompt": "{{{n}}} {empty}{a.b}", "completion": "a.b"], ["n": 7, "empty": .null, "a.b": "dots"])
    #expect(fields["prompt"] == "{7} dots" && fields["completion"] == "dots")
  }

  /// A text may hold the very column that it takes the place of.
  @Test func aColumnIsWrittenAnew() throws {
    let fields = try applied(["prompt": "Translate: {prompt}"], ["prompt": "x", "completion": "y"])
    #expect(fields == ["prompt": "Translate: x", "completion": "y"])
  }

  @Test(arguments: [("answers.text.2", "answers.text.2"), ("{contxt}", "contxt"), ("answers.words", "answers.words")])
  func whatIsNotThereIsNamed(source: String, name: String) {
    #expect {
      try applied(["prompt": source], squad)
    } throws: { "\($0)".hasPrefix("d.jsonl:3: the record has no \"\(name)\", which data.columns names for \"prompt\"; ") }
  }

  @Test func aTableWithoutHeaderIsSaidToBeOne() throws {
    let row = DataRecord(["hide new secretions": "contains no wit", "0": "1"], file: "d.tsv", line: 2, isRow: true)
    let encoder = ExampleEncoder(tokenizer: CharacterTokenizer(), task: .causalLM)
    #expect { try encoder.format(of: row) } throws: { "\($0)".contains("; the first row looks like data instead of names: set data.header: false") }
    #expect { try applied(["text": "sentence"], row.fields, isRow: true) } throws: { "\($0)".contains("set data.header: false") }
    var named = row
    named.fields = ["a": "x", "b": "y"]
    #expect { try encoder.format(of: named) } throws: { !"\($0)".contains("data.header") }
  }
}
