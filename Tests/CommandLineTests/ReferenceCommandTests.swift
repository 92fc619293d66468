import Foundation
import GraftTestSupport
import Testing

/// Recipes, methods and keys explain themselves.
@Suite struct ReferenceCommandTests {
  @Test func recipesAreListedAndShown() throws {
    let list = try Graft.run("recipes")
    let names = try FileManager.default.contentsOfDirectory(atPath: Repository.file("Recipes").path).filter { $0.hasSuffix(".yaml") }.sorted()
    let listed = list.output.split(separator: "\n").map { String($0.prefix { $0 != " " }) + ".yaml" }
    #expect(list.code == 0 && listed == names)
    #expect(list.output.contains("quickstart") && list.output.contains("  Teaches the seedling to follow instructions with LoRA.\n"))
    #expect(
      try Graft.run("recipes", "show", "quickstart").output == Repository.text("Recipes/quickstart.yaml").trimmingCharacters(in: .newlines) + "\n")
    let unknown = try Graft.run("recipes", "show", "quikstart")
    #expect(unknown.code == 64 && unknown.complaint == "error: quikstart: no shipped recipe; did you mean 'quickstart'?")
  }

  /// A copy names the shipped files by their whole paths, so that it runs anywhere.
  @Test func recipesAreCopied() throws {
    let folder = try Graft.scratch()
    let copy = folder.appending(path: "mine.yaml")
    #expect(try Graft.run("recipes", "copy", "quickstart", copy.path).code == 0)
    let text = try String(contentsOf: copy, encoding: .utf8)
    #expect(text.contains("\n  path: \(Repository.root.path)/Data/models/seedling\n"))
    #expect(text.contains("\n  train: \(Repository.root.path)/Data/instructions/train.jsonl\n") && !text.contains(" Data/"))
    let again = try Graft.run("recipes", "copy", "quickstart", copy.path)
    #expect(again.code == 64 && again.complaint.contains("the file is there already"))
    #expect(try Graft.run("recipes", "copy", "bert-lora", copy.path, "--overwrite").code == 0)
  }

  @Test func methodsAreListedAndExplained() throws {
    let list = try Graft.run("methods").output
    #expect(list.hasPrefix("LORA ") && list.contains("\nADAPTER ") && list.contains("bottleneck adapters"))
    let one = try Graft.run("methods", "lora")
    #expect(one.code == 0 && one.output.hasPrefix("LORA: ") && one.output.contains("\nr: ") && one.output.contains("learning rate"))
    let unknown = try Graft.run("methods", "LORRA")
    #expect(unknown.code == 64 && unknown.complaint == "error: LORRA: no method; did you mean 'LORA'?")
    #expect(try Graft.run("methods", "--markdown").output == Repository.text("Documentation/Methods.md"))
    let help = try Graft.run("--help").output
    for command in ["methods", "recipes", "schema"] { #expect(help.contains("\n  \(command) "), "\(command)") }
  }

  @Test(arguments: ["training.precision", "task", "data.columns", "method.r"]) func keysAreExplained(key: String) throws {
    let result = try Graft.run("help", key)
    #expect(result.code == 0 && result.output.contains(key), "\(result.errors)")
  }

  /// A section is explained key by key, and a command of the same name stands above it.
  @Test func sectionsAreExplained() throws {
    let section = try Graft.run("help", "training").output
    #expect(section.contains("training.batch_size") && section.contains("training.learning_rate"))
    #expect(try Graft.run("help", "train").output.contains("USAGE: graft train"))
  }
}
