import Foundation
import Graft
import GraftBatching
import GraftTestSupport
import Testing

/// The articles for people who program against Graft: what they show is compiled, as a package of its own would be, and does what they say.
@Suite("Articles")
struct ArticleTests {
  private static let articles = "Sources/GraftUmbrella/Graft.docc"

  @Test(arguments: [("AddAnOperation", "OperationExample"), ("AddAMethod", "MethodExample"), ("AddAFamily", "FamilyExample")])
  func anArticleShowsWhatIsCompiled(_ article: String, _ example: String) throws {
    let text = try Repository.text("\(Self.articles)/\(article).md")
    let block = try #require(text.components(separatedBy: "```swift\n").dropFirst().first?.components(separatedBy: "```").first)
    #expect(block == (try Repository.text("Tests/GraftTests/\(example).swift")))
    #expect(block.split(separator: "\n", omittingEmptySubsequences: false).count < 100)
    #expect(try Repository.text("\(Self.articles)/Graft.md").contains("<doc:\(article)>"))
  }

  /// Another package sees what is public, and no more.
  @Test func examplesNeedNothingThatIsNotPublic() throws {
    let folders = CommandLine.arguments.prefix(1).map { URL(filePath: $0).deletingLastPathComponent() } + [Repository.file(".build/release")]
    let products = try #require(
      folders.first { FileManager.default.fileExists(atPath: $0.appending(path: "Modules/Graft.swiftmodule").path) }, "no modules beside the tests"
    ).resolvingSymlinksInPath()
    let scratch = products.deletingLastPathComponent().deletingLastPathComponent()
    let maps =
      ["COpenBLAS", "CHDF5", "CLibCrypto", "CZlib", "CZstd"].map { Repository.file("Sources/\($0)/module.modulemap").path } + [
        products.appending(path: "CKernels.build/module.modulemap").path,
        scratch.appending(path: "checkouts/Yams/Sources/CYaml/include/module.modulemap").path,
      ]
    let examples = Repository.names(in: "Tests/GraftTests", endingWith: "Example.swift").map { "Tests/GraftTests/\($0)" }
    #expect(examples.count >= 3)
    let flags = try Program("pkg-config", "--cflags-only-I", "openblas", "hdf5").output.split(whereSeparator: \.isWhitespace).map(String.init)
    let checked = try Program(
      arguments: ["swiftc", "-typecheck", "-swift-version", "6", "-package-name", "another", "-I", products.appending(path: "Modules").path]
        + (maps.map { "-fmodule-map-file=\($0)" } + flags).flatMap { ["-Xcc", $0] } + examples)
    #expect(checked.code == 0, "\(checked.errors)")
  }

  /// The largest difference between an operation's gradient and its difference quotient.
  private func gradientError(_ operation: (Tensor) -> Tensor) throws -> Float {
    let values = RandomStream(seed: 1).normal([3, 4]).values
    let x = Parameter(path: "x", value: Tensor(values, [3, 4]), isTrainable: true)
    let weights = RandomStream(seed: 2).normal([3, 4])
    func loss(_ x: Tensor) -> Tensor { sum(operation(x) * weights) }
    let tape = Tape()
    let gradient = tape.gradients(of: tape.record { loss(x.operand) })[x]
    func quotient(_ index: Int) -> Float {
      let step: Float = 1e-2
      let sides = [step, -step].map { shift in
        var moved = values
        moved[index] += shift
        return loss(Tensor(moved, [3, 4])).scalar
      }
      return (sides[0] - sides[1]) / (2 * step)
    }
    return largestDifference(try #require(gradient).values, values.indices.map(quotient))
  }

  @Test func theOperationsHaveTheirGradients() throws {
    #expect(bounded(Tensor([0, 100, -100]), by: 2).values == [0, 2, -2])
    #expect(squaredReLU(Tensor([-1, 0, 3])).values == [0, 0, 9])
    #expect(try gradientError { bounded($0, by: 2) } < 2e-3)
    #expect(try gradientError(squaredReLU) < 2e-2)
  }

  private static let sequences: [[Int32]] = [[3, 17, 5, 21, 8, 2], [11, 4, 0, 22]]

  private func model() throws -> any CausalLanguageModel & TrainableModel {
    let config = ArchitectureConfiguration(TinyConfiguration.llama.setting(["initializer_range": 0.3]), source: "config.json")
    return try #require(
      try ModelFamily.build(ModelRequest(config), in: Scope(source: nil, catalog: SiteCatalog(), seed: 7))
        as? any CausalLanguageModel & TrainableModel)
  }

  private func states(_ model: any Model) -> [Float] { model.hiddenStates(SequenceInput(Self.sequences), .inference).values }

  /// The mean loss with its gradients.
  private func differentiate(_ model: any TrainableModel) -> (loss: Float, gradients: Gradients) {
    let batch = Batch(collating: Self.sequences.map { EncodedExample(tokens: $0) }, objective: .nextToken)
    let tape = Tape()
    let loss = tape.record { model.loss(batch, Pass(isTraining: true), scale: 1 / Float(batch.lossTokenCount)) }
    return (loss.scalar, tape.gradients(of: loss))
  }

  @Test func theMethodLearnsIsReadBackAndFoldedIn() throws {
    let model = try model()
    let before = states(model)
    let delta = try Delta(RankOne(), on: model.catalog)
    #expect(largestDifference(states(model), before) < 2e-6)
    // Two layers: queries and outputs of 12, one head of keys and values of 4, three matrices between 12 and 20.
    #expect(delta.parameterCount == 2 * (2 * 24 + 2 * 16 + 3 * 32))
    let optimizer = Optimizer(AdamW(), parameters: delta.parameters.map(\.parameter))
    let first = differentiate(model).loss
    for _ in 0..<20 { optimizer.step(differentiate(model).gradients, learningRate: 0.01) }
    #expect(differentiate(model).loss < first - 1e-2)
    let adapted = states(model)
    let other = try self.model()
    _ = try Delta(RankOne(), on: other.catalog, from: try delta.stored(taskType: nil).weights(from: "stored"))
    #expect(states(other) == adapted)
    try delta.merge()
    #expect(largestDifference(states(model), adapted) < 2e-5)
  }

  @Test func theMethodIsNamedByRecipes() throws {
    try MethodCatalog.register(RankOne.self)
    let recipe: ConfigTree = ["peft_type": "rank_one", "target_modules": ["q_proj"]]
    #expect(try (MethodCatalog.decode(recipe: recipe) as? RankOne)?.targetModules == .names(["q_proj"]))
    #expect(throws: ConfigError.self) { try MethodCatalog.decode(recipe: ["peft_type": "RANK_ONE", "r": 3]) }
    #expect(throws: RegistryError.self) { try MethodCatalog.register(RankOne.self) }
  }

  /// From a configuration that names it: it writes with a cache what it would write without one, and is read back to the bit.
  @Test func theFamilyIsBuiltCachedAndReadBack() throws {
    try ModelFamily.registry.register(.twin)
    func model(_ changes: JSON = [:], from source: (any WeightSource)? = nil) throws -> any CausalLanguageModel & TrainableModel {
      let json = TinyConfiguration.decoder("twin", heads: 3).setting(["initializer_range": 0.5]).setting(changes)
      let request = ModelRequest(ArchitectureConfiguration(json, source: "config.json"))
      let scope = Scope(source: source, catalog: SiteCatalog(), seed: 7)
      return try #require(try ModelFamily.build(request, in: scope) as? any CausalLanguageModel & TrainableModel)
    }
    let twin = try model()
    let weights = InMemoryWeights(name: "twin", twin.catalog.parameters.map { StoredTensor(name: $0.path, tensor: $0.value) })
    #expect(states(try model(from: weights)) == states(twin))
    #expect(largestDifference(states(try model(["attention_softcap": 0.1], from: weights)), states(twin)) > 1e-3)

    var settings = SamplingSettings()
    settings.maxNewTokens = 6
    let written = try Generator(continuing: twin, endIDs: [])(Self.sequences, settings)
    for (prompt, tokens) in zip(Self.sequences, written) {
      var sequence = prompt
      for token in tokens {
        let hidden = twin.hiddenStates(SequenceInput([sequence]), .inference)
        let found = (0..<Int32(23)).map { twin.head.predictions(hidden.rows(sequence.count - 1..<sequence.count), targets: [$0])[0].logProbability }
        #expect(found.firstIndex(of: found.max() ?? 0) == Int(token))
        sequence.append(token)
      }
    }
    let delta = try Delta(RankOne(), on: twin.catalog)
    #expect(delta.parameterCount == 2 * (2 * 24 + 2 * 16 + 3 * 32))
  }
}
