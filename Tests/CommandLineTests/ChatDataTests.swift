import Foundation
import GraftJSON
import Testing

/// Chat data as users have it, through the program.
@Suite struct ChatDataTests {
  private func file(_ text: String, _ name: String = "d.jsonl") throws -> String {
    let file = try Graft.scratch().appending(path: name)
    try Data(text.utf8).write(to: file)
    return file.path
  }

  private func score(_ text: String, _ options: String..., name: String = "d.jsonl") throws -> Graft.Result {
    try Graft.run(["score", "--model", "Data/models/seedling", "--data", try file(text, name)] + options)
  }

  private let messages = #"{"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello!"}]}"#

  @Test(arguments: [
    #"{"conversations": [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Hello!"}]}"#,
    #"{"prompt": [{"role": "user", "content": "Hi"}], "completion": [{"role": "assistant", "content": "Hello!"}]}"#,
    #"{"chat": [{"role": "customer", "content": "Hi"}, {"role": "agent", "content": "Hello!"}]}"#,
  ])
  func layoutsScoreAlikeAndSayWhatWasInferred(record: String) throws {
    let plain = try score(messages)
    let other =
      try record.contains("chat")
      ? score(record, "--column", "messages=chat", "--role", "customer=user", "--role", "agent=assistant") : score(record)
    #expect(plain.code == 0 && plain.errors.isEmpty)
    #expect(other.code == 0 && other.output == plain.output)
    #expect(other.errors.isEmpty == record.contains("chat"))
    #expect(other.errors.split(separator: "\n").allSatisfy { $0.hasPrefix("note: ") })
  }

  @Test func aTemplatesErrorNamesFileLineAndMessage() throws {
    let path = try file(messages + "\n" + messages.replacing(#""Hello!""#, with: #"null, "tool_calls": [{"name": "f"}]"#) + "\n")
    let result = try Graft.run("score", "--model", "Data/models/seedling", "--data", path)
    #expect(result.code == 65)
    #expect(result.complaint.hasPrefix("error: \(path):2: message 2: can only concatenate str (not \"NoneType\") to str (line 1 of chat_template); "))
  }

  /// Trainers save the template that an adapter was trained with beside it.
  @Test func anAdaptersChatTemplateIsUsed() throws {
    let folder = try Graft.scratch()
    let recipe = folder.appending(path: "r.yaml")
    let (run, adapter) = (folder.appending(path: "run").path, folder.appending(path: "adapter"))
    try Data(try TinyModel.recipe().utf8).write(to: recipe)
    #expect(try Graft.run("train", recipe.path, "--output", run).code == 0)
    #expect(try Graft.run("export", run, "--format", "peft", "--output", adapter.path).code == 0)
    try Data("{% for m in messages %}{{ m.content }}{% endfor %}".utf8).write(to: adapter.appending(path: "chat_template.jinja"))
    let result = try Graft.run("score", "--model", try TinyModel.path, "--adapter", adapter.path, "--data", try file(messages))
    #expect(result.code == 0, "\(result.errors)")
    #expect(result.errors.contains("note: \(adapter.path): its chat template is used"))
    let bare = try Graft.run("tokenize", "--model", try TinyModel.path, "HiHello!")
    #expect(try JSON(parsing: result.output)["tokens"] == JSON(parsing: bare.output)["ids"])
  }

  @Test func aMixtureTrainsOnWhatItsWeightsSay() throws {
    let folder = try Graft.scratch()
    let (a, b) = (folder.appending(path: "a.jsonl").path, folder.appending(path: "b.jsonl").path)
    for (path, count) in [(a, 10), (b, 3)] {
      try Data((0..<count).map { "{\"prompt\": \"p\($0)\", \"completion\": \"c\"}\n" }.joined().utf8).write(to: URL(fileURLWithPath: path))
    }
    let recipe = folder.appending(path: "r.yaml")
    let yaml = try TinyModel.recipe(data: a).replacing("train: \(a)", with: "train: [{path: \(a), weight: 0.5}, {path: \(b), weight: 3}]")
    try Data(yaml.utf8).write(to: recipe)
    let result = try Graft.run("train", recipe.path, "--output", folder.appending(path: "run").path)
    #expect(result.code == 0, "\(result.errors)")
    #expect(result.errors.contains("14 examples"))
    #expect(
      result.errors.contains("a.jsonl: an epoch draws 5 times from 10 examples")
        && result.errors.contains("b.jsonl: an epoch draws 9 times from 3 examples"))
  }
}
