import GraftAdapters
import GraftConfiguration
import GraftJSON
import GraftLayers
import GraftRecipes
import GraftTestSupport
import Testing

/// The reference of recipes has every key that a recipe has, with the type and the default that it has.
@Suite struct RecipeReferenceTests {
  /// A value of a type, and one that is not of it.
  private func values(_ type: RecipeKey.ValueType) -> (good: String, bad: String) {
    switch type {
    case .text: ("x", "[1, 2]")
    case .whole: ("3", "x")
    case .number: ("0.5", "x")
    case .boolean: ("false", "3")
    case .choice(let names): (names.last ?? "", "no-such-name")
    case .list(let element): ("[\(values(element).good), \(element == .whole ? "4" : values(element).good)]", "{a: 1}")
    case .mapping(let value): ("{a: \(values(value).good)}", "[1]")
    case .files: ("[{path: a.jsonl, weight: 2}, b.jsonl]", "{a: 1}")
    case .section: ("{model_type: llama}", "3")
    }
  }

  /// Keys that stand for nothing without others, or take fewer values than their type has.
  private static let company: [String: [String]] = [
    "model.quantization": [], "data.problem_type": ["task=sequence_classification"], "data.num_labels": ["task=sequence_classification"],
    "data.labels": ["task=sequence_classification", "data.labels=[x, y]"],
    "data.class_weights": ["task=sequence_classification"], "data.objective": ["task=seq2seq_lm"],
    "data.eval": ["data.eval=[a.jsonl, b.jsonl]"], "data.forgetting": ["data.forgetting=[a.jsonl]"], "data.columns": ["data.columns={text: a}"],
    "data.delimiter": ["data.delimiter=;"], "data.mean_span_length": ["data.mean_span_length=1.5"], "data.next_sentence": [],
    "methods": ["methods=[{name: a, method: {peft_type: LORA}}]"], "training.betas": ["training.betas=[0.5, 0.6]"],
    "training.loss_scale.initial": ["training.loss_scale.initial=1024"],
    "training.loss_scale.growth_factor": ["training.loss_scale.growth_factor=1.5"],
    "training.loraplus_lr_ratio": ["training.loraplus_lr_ratio=1.5"], "method.peft_type": ["method.peft_type=IA3"],
    "learning_rates": ["learning_rates=[0.5]"], "preference.loss": ["task=preference"], "preference.beta": ["task=preference"],
    "preference.label_smoothing": ["task=preference", "preference.label_smoothing=0.1"], "preference.length_normalized": ["task=preference"],
    "preference.gamma": ["task=preference"], "preference.sft_weight": ["task=preference"], "preference.desirable_weight": ["task=preference"],
    "preference.undesirable_weight": ["task=preference"],
  ]

  private func recipe(_ overrides: [String]) throws -> Recipe {
    try Recipe(yaml: "model: {path: m}\ndata: {train: t.jsonl}\n", file: "r.yaml", overrides: overrides)
  }

  @Test func everyKeyIsThereOnce() throws {
    func keys(_ tree: ConfigTree, _ path: String) -> [String] {
      (tree.mapping?.entries ?? []).flatMap { entry in
        let inner = path.isEmpty ? entry.key : "\(path).\(entry.key)"
        return entry.value.mapping?.isEmpty == false ? keys(entry.value, inner) : [inner]
      }
    }
    #expect(RecipeKey.all.map(\.path) == keys(try ConfigTree(encoding: Recipe()), ""))
  }

  @Test(arguments: RecipeKey.all.map(\.path))
  func theTypeIsTheKeysOwn(_ path: String) throws {
    let key = try #require(RecipeKey.all.first { $0.path == path })
    #expect(key.meaning.hasSuffix(".") && !key.meaning.contains("|") && key.meaning.count > 10)
    let (good, bad) = values(key.type)
    let company = Self.company[path] ?? []
    #expect(throws: Never.self, "\(path)") {
      _ = try recipe(company + (company.contains { $0.hasPrefix(path + "=") } ? [] : ["\(path)=\(good)"]))
    }
    if (try? recipe(["\(path)=null"])) != nil { #expect(key.allowsNull, "\(path)") }
    let others = company.filter { !$0.hasPrefix(path + "=") }
    if case .text = key.type, path != "method.peft_type" {
      #expect(throws: ConfigError.self, "\(path)") { try recipe(others + ["\(path)={a: [1]}"]) }
    } else {
      #expect(throws: ConfigError.self, "\(path)") { try recipe(others + ["\(path)=\(bad)"]) }
    }
  }

  @Test func thePageAndTheSchemaAreWrittenFromIt() throws {
    #expect(try Repository.text("Documentation/Recipes.md") == RecipeReference.page(methods: MethodCatalog.builtIn))
    let schema = RecipeReference.schema(methods: MethodCatalog.builtIn)
    #expect(try Repository.text("Recipes/recipe.schema.json") == schema.serialized(pretty: true) + "\n")
    for name in MethodCatalog.builtIn.map({ $0.name }) { #expect(RecipeReference.page().contains("### \(name)\n")) }
  }

  @Test func aKeyIsExplained() throws {
    #expect(try RecipeReference.help(of: "training.optimizer").contains("sgd, momentum, rmsprop, adam, adamw"))
    #expect(try RecipeReference.help(of: "training.betas").hasSuffix("Default: [0.9, 0.999]"))
    #expect(try RecipeReference.help(of: "method.init_r").contains("ADALORA"))
    #expect(try RecipeReference.help(of: "training.loss_scale.initial").hasSuffix("Default: 65536.0"))
    #expect { try RecipeReference.help(of: "training.precison") } throws: { "\($0)".contains("training.precision") }
  }

  /// A section within a section has keys of its own, and no others.
  @Test func aNestedSectionKnowsItsKeys() throws {
    let section = try #require(RecipeReference.schema()["properties"]?["training"]?["properties"]?["loss_scale"])
    #expect(section["properties"]?.object?.keys.sorted() == ["backoff_factor", "growth_factor", "growth_interval", "initial", "minimum"])
    #expect(section["additionalProperties"] == false)
    #expect(RecipeReference.page().contains("| `loss_scale.minimum` | number | `1"))
    #expect { try recipe(["training.loss_scale.inital=3"]) } throws: { "\($0)".contains("did you mean 'initial'?") }
  }

  /// A method of the program's own is in the reference like those of the package.
  @Test func methodsOfTheProgramAreInIt() throws {
    let methods = MethodCatalog.builtIn + [Notched.self]
    #expect(RecipeReference.page(methods: methods).hasSuffix("### NOTCHED\n\n```yaml\nnotches: 3\n```\n"))
    let method = RecipeReference.schema(methods: methods)["properties"]?["method"]?["properties"]
    #expect(method?["peft_type"]?["enum"]?.array?.last == "NOTCHED")
    #expect(method?["notches"]?["description"] == "Of NOTCHED.")
  }

  private struct Notched: TuningMethod {
    static let name = "NOTCHED"
    static let card = MethodCard(title: "Notched", formula: "`x`", parameters: "`n`", seam: "none", source: "none")
    var notches = 3
    func attach(to sites: SiteCatalog, in attachment: GraftAdapters.Attachment) {}
  }

  /// Shipped recipes name the schema in their first line, and all their keys are its keys.
  @Test(arguments: Repository.names(in: "Recipes", endingWith: ".yaml"))
  func shippedRecipesFitTheSchema(_ name: String) throws {
    let text = try Repository.text("Recipes/\(name)")
    #expect(text.hasPrefix("# yaml-language-server: $schema=recipe.schema.json\n"))
    let schema = RecipeReference.schema()
    let recipe = try ConfigTree(encoding: try Recipe(yaml: text, file: name)).json
    for (section, value) in recipe.object ?? [:] {
      let known = try #require(schema["properties"]?[section], "\(section)")
      guard known["type"] == "object", known["properties"] != nil else { continue }
      for key in value.object?.keys ?? [] { #expect(known["properties"]?[key] != nil, "\(section).\(key)") }
    }
  }
}
