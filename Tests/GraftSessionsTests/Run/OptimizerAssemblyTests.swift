import Foundation
import GraftAdapters
import GraftBatching
import GraftJSON
import GraftLayers
import GraftModels
import GraftOptimizers
import GraftRecipes
import GraftTensors
import GraftTestSupport
import Testing

/// The optimizer that a recipe's `training:` makes for a model's parameters.
@Suite struct OptimizerAssemblyTests {
  private func training(_ overrides: String...) throws -> Recipe.Training {
    try Recipe(yaml: "model: {path: m}\ndata: {train: t.jsonl}\n", file: "r.yaml", overrides: overrides.map { "training." + $0 }).training
  }

  private static let families = Result { try Fixtures("GraftSessionsTests").json("decay.json") }

  /// No biases and no norms, as Transformers' Trainer has it; made by `Scripts/make-decay-goldens.py`.
  @Test(arguments: ["gpt2", "llama", "mistral", "qwen2", "qwen3", "bert", "roberta", "distilbert", "t5", "bart"])
  func decayLeavesOutWhatTransformersDoes(_ family: String) throws {
    let golden = try #require(try Self.families.get()[family])
    func names(_ key: String) -> Set<String> { Set((golden[key]?.array ?? []).compactMap(\.string)) }
    let task = try #require(golden["task"]?.string.flatMap(LearningTask.init))
    let scope = Scope(source: nil, catalog: SiteCatalog())
    let config = ArchitectureConfiguration(try #require(golden["config"]), source: "config.json")
    let model = try ModelFamily.build(ModelRequest(config, task: task), in: scope)
    let delta = try Delta(try MethodCatalog.decode(recipe: ["peft_type": "FULL"]), on: model.catalog)
    let optimizer = try training("optimizer=sgd", "weight_decay=0.5").optimizer(of: delta, on: model.catalog, peak: 1)
    #expect(optimizer.parameters.count == names("decayed").union(names("kept")).count)
    var gradients = Gradients()
    for parameter in optimizer.parameters {
      parameter.assign(Tensor(repeating: 1, shape: parameter.shape))
      gradients[parameter] = .zeros(parameter.shape)
    }
    optimizer.step(gradients, learningRate: 1)
    for parameter in optimizer.parameters {
      let known = [parameter.path] + (model.family?.tensors.aliases(of: parameter.path) ?? [])
      let isDecayed = known.contains(where: names("decayed").contains)
      let isKept = known.contains(where: names("kept").contains)
      #expect(isDecayed != isKept, "\(parameter.path)")
      #expect(parameter.value.values[0] == (isDecayed ? 0.5 : 1), "\(parameter.path)")
    }
  }

  /// Every rule with its hyper-parameters, none of them at their defaults.
  @Test(
    arguments: [
      ("sgd", SGD()), ("momentum", Momentum(momentum: 0.7)), ("rmsprop", RMSProp(smoothing: 0.8, epsilon: 0.05)),
      ("adam", Adam(beta1: 0.7, beta2: 0.8, epsilon: 0.05)), ("adamw", AdamW(beta1: 0.7, beta2: 0.8, epsilon: 0.05)),
      ("lion", Lion(beta1: 0.7, beta2: 0.8)), ("adafactor", Adafactor()), ("muon", Muon(others: AdamW(beta1: 0.7, beta2: 0.8, epsilon: 0.05))),
    ] as [(String, any UpdateRule)])
  func rulesGetTheirParameters(_ name: String, _ rule: any UpdateRule) throws {
    let scope = Scope(source: nil, catalog: SiteCatalog())
    let layer = try Linear(scope / "layer", in: 3, out: 2, initializer: .ones)
    let twin = Parameter(path: "twin", value: layer.weight.value, isTrainable: true)
    let delta = try Delta(try MethodCatalog.decode(recipe: ["peft_type": "FULL"]), on: scope.catalog)
    let built = try training("optimizer=\(name)", "betas=[0.7, 0.8]", "epsilon=0.05", "weight_decay=0.1")
      .optimizer(of: delta, on: scope.catalog, peak: 1)
    let expected = Optimizer(rule, parameters: [twin], weightDecay: 0.1)
    for step in 1...3 {
      for (optimizer, parameter) in [(built, layer.weight), (expected, twin)] {
        var gradients = Gradients()
        gradients[parameter] = Tensor((0..<6).map { Float(step * $0) - 2.5 }, [2, 3])
        optimizer.step(gradients, learningRate: 0.1)
      }
    }
    #expect(layer.weight.value.values == twin.value.values)
    #expect(layer.weight.value.values != Array(repeating: 1, count: 6))
  }

  @Test(
    arguments: [(0, nil, 100, 0), (7, nil, 100, 7), (0, 0.1, 100, 10), (0, 0.1, 101, 11), (0, 0.03, 10, 1), (0, 1, 9, 9)]
      as [(Int, Double?, Int, Int)])
  func warmUpsAreRoundedUp(_ steps: Int, _ ratio: Double?, _ total: Int, _ expected: Int) {
    var training = Recipe.Training()
    (training.warmupSteps, training.warmupRatio) = (steps, ratio)
    #expect(training.warmupStepCount(of: total) == expected)
  }
}
