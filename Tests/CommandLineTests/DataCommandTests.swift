import Foundation
import GraftJSON
import GraftTestSupport
import Testing

/// `graft data` finds what is wrong with data, with file and line, and shows what is trained.
@Suite struct DataCommandTests {
  private let folder: URL

  init() throws { folder = try Graft.scratch() }

  private static let words = String(repeating: "one two three four five six seven eight nine ten ", count: 8)

  /// A file with sixteen faults in its first lines, and ten good ones behind them.
  private func faulty() throws -> String {
    let faults: [String] =
      [
        #"{"prompt": "What is red?", "completion": "A color."}"#, #"{"prompt": "What is red?", "completion": "A color."}"#,
        #"{"prompt": "what is  RED?", "completion": "A wine."}"#, #"{"prompt": "Say nothing.", "completion": ""}"#,
        #"{"prompt": "Say space.", "completion": " \n"}"#, #"{"prompt": "", "completion": "An answer."}"#,
        #"{"prompt": "Count.", "completion": "\#(Self.words)"}"#, #"{"prompt": "\#(Self.words)", "completion": "x"}"#,
        #"{"prompt": "How many?", "completion": 5}"#, #"{"prompt": "No answer."}"#, #"{"prompt": "Broken"#,
        #"{"prompt": "Hello <|im_start|> there.", "completion": "Hi."}"#, #"{"prompt": "Caf\u00c3\u00a9?", "completion": "Yes."}"#,
        #"{"prompt": "A \ufffd sign.", "completion": "Yes."}"#, #"{"prompt": "Extra.", "completion": "Key.", "note": "x"}"#, #"["a list"]"#,
      ]
    let others = (17...26).map { #"{"prompt": "Filler \#($0).", "completion": "Done \#($0)."}"# }
    return try folder.write((faults + others).joined(separator: "\n") + "\n", "train.jsonl")
  }

  private func held() throws -> String {
    let lines: [String] = [
      #"{"prompt": "What is red?", "completion": "A color."}"#, #"{"prompt": "Filler 17.", "completion": "Not done."}"#,
      #"{"prompt": "Something new?", "completion": "Yes."}"#,
    ]
    return try folder.write(lines.joined(separator: "\n"), "eval.jsonl")
  }

  private func look(_ arguments: String...) throws -> Graft.Result { try Graft.run(["data"] + arguments) }

  private func places(_ report: JSON, _ kind: String) -> [String] {
    let finding = report["findings"]?.array?.first { $0["kind"]?.string == kind }
    return (finding?["places"]?.array ?? []).map {
      URL(fileURLWithPath: $0["file"]?.string ?? "").lastPathComponent + ($0["line"]?.int.map { ":\($0)" } ?? "")
    }
  }

  @Test func plantedFaultsAreFound() throws {
    let (train, eval) = (try faulty(), try held())
    let result = try look(train, "--model", "Data/models/seedling", "--eval", eval, "--json", "data.max_length=40")
    try #require(result.code == 65, "\(result.errors)")
    let report = try JSON(parsing: result.output)
    let expected: [String: [Int]] = [
      "unusable": [9, 10, 11, 16], "without_loss": [8], "empty_prompt": [6], "empty_answer": [4, 5], "cut": [7, 8], "end_not_trained": [7],
      "duplicate": [2], "conflict": [3], "special_token": [12], "damaged_text": [13, 14], "other_keys": [15],
    ]
    for (kind, lines) in expected { #expect(places(report, kind) == lines.map { "train.jsonl:\($0)" }, "\(kind)") }
    #expect(places(report, "leak") == ["eval.jsonl:1", "eval.jsonl:2"])
    #expect(report["findings"]?.array?.count == expected.count + 1)
    #expect(report["refused"] == true && report["train"]?["records"] == 26 && report["train"]?["examples"] == 21)
    #expect(report["train"]?["ends"] == 21 && report["train"]?["ends_trained"] == 20 && report["eval"]?["records"] == 3)
    #expect(report["train"]?["format"] == "prompt_completion" && report["max_length"] == 40)
    let lengths = try #require(report["train"]?["lengths"])
    #expect((lengths["50"]?.int ?? 0) < 40 && (lengths["100"]?.int ?? 0) > 80)
    let first = try #require(report["examples"]?[0])
    #expect(first["parts"]?.array?.map { $0["trained"]?.bool } == [false, true])
    #expect(first["parts"]?[0]?["text"] == "What is red?" && first["parts"]?[1]?["text"] == "A color.<|endoftext|>")
  }

  @Test func textAndPageShowTheSame() throws {
    let (train, page) = (try faulty(), folder.appending(path: "page.html").path)
    let result = try look(train, "--model", "Data/models/seedling", "--html", page)
    #expect(result.code == 65 && result.output.contains("\(train):9: \"completion\" is an integer, not a string; write a string"))
    #expect(result.output.contains("What is red?«A color.<|endoftext|>»") && !result.output.contains("\u{1B}"))
    let html = try String(contentsOfFile: page, encoding: .utf8)
    #expect(html.contains("What is red?<mark>A color.&lt;|endoftext|&gt;</mark>") && html.contains("records that training refuses"))
    #expect(html.contains("train.jsonl:9") && !html.contains("<script"))
  }

  @Test func goodDataIsSaidToBeGood() throws {
    let result = try look("Recipes/quickstart.yaml")
    #expect(result.code == 0 && result.output.contains("1,489"), "\(result.errors)")
    #expect(result.output.contains("max_length") && result.output.contains("keeps 95 %") && result.output.contains("held-out examples"))
    let classified = try look("Recipes/bert-classification.yaml", "--json")
    let report = try JSON(parsing: classified.output)
    #expect(report["train"]?["labels"]?.array?.count == 4 && report["task"] == "sequence_classification", "\(classified.errors)")
    #expect(try look("Recipes/compare-methods.yaml", "--quiet").code == 0)
  }

  @Test func conversationsAndClassesAreLookedAtToo() throws {
    let chat = try folder.write(
      """
      {"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello!"}]}
      {"messages": [{"role": "assistant", "content": "Hello!"}, {"role": "user", "content": "Hi"}]}
      """, "chat.jsonl")
    let chats = try JSON(parsing: look(chat, "--model", "Data/models/seedling", "--json").output)
    #expect(places(chats, "role_order") == ["chat.jsonl:2"] && places(chats, "end_not_trained") == ["chat.jsonl:2"])
    let common: [String] = (1...20).map { "text \($0),good" }
    let rows = common + ["text 21,bad", "text 22,"]
    let table = try folder.write("text,label\n" + rows.joined(separator: "\n") + "\n", "labels.csv")
    let recipe = try folder.write(
      """
      model:
        tokenizer: Data/models/seedling
        config: {model_type: bert, vocab_size: 1024, hidden_size: 16, intermediate_size: 24, num_hidden_layers: 1, num_attention_heads: 2}
      task: sequence_classification
      method: {peft_type: FULL}
      data: {train: \(table), packing: false}
      """, "classes.yaml")
    let result = try look(recipe, "--json")
    let classes = try JSON(parsing: result.output)
    #expect(places(classes, "rare_label") == ["labels.csv:22"] && places(classes, "unbalanced") == ["labels.csv"], "\(result.errors)")
    #expect(places(classes, "unusable") == ["labels.csv:23"])
  }

  @Test func aTableWithoutHeaderIsSaidToBeOne() throws {
    let table = try folder.write("hide new secretions\t0\ncontains no wit\t0\n", "sst.tsv")
    let result = try look(table, "--model", "Data/models/seedling")
    #expect(result.code == 65 && result.output.contains("sst.tsv:2: ") && result.output.contains("set data.header: false"), "\(result.errors)")
  }
}
