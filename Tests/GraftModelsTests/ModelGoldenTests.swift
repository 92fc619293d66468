import GraftBatching
import GraftJSON
import GraftLayers
import GraftModels
import GraftTensors
import GraftTestSupport
import Testing

@Suite("Every family computes what Transformers does")
struct ModelGoldenTests {
  /// RWKV's halved states and Qwen's long texts are for inference alone: the loss in training is another.
  @Test(arguments: ModelFixture.names + ModelFixture.others + ["rwkv-rescaled", "qwen-long", "qwen-long-angles", "qwen-long-scores"])
  func outputs(_ name: String) throws {
    let fixture = try ModelFixture(name)
    let model = try fixture.model(from: SyntheticSource(fixture))
    let batch = fixture.batch(for: model)
    let expected = fixture.outputs.flatMap { $0 }
    let found: [Float]
    if let model = model as? any SequenceClassifier {
      found = model.logits(batch.input, .inference).values
    } else if let model = model as? any TokenClassifier {
      found = gatherRows(model.logits(batch.input, .inference), Tensor(batch.lossRows)).values
    } else {
      let model = try #require(model as? any LanguageModel)
      found = model.predictions(batch).map(\.logProbability)
    }
    #expect(largestDifference(found, expected) < 1e-5)
  }

  @Test(arguments: ModelFixture.names + ModelFixture.others, [false, true])
  func lossAndGradients(_ name: String, recomputation: Bool) throws {
    let fixture = try ModelFixture(name)
    let source = SyntheticSource(fixture)
    let model = try fixture.model(from: source)
    let batch = fixture.batch(for: model)
    for parameter in model.catalog.parameters { parameter.isTrainable = true }
    let tape = Tape()
    let loss = Execution(recomputation: recomputation).run {
      tape.record { model.loss(batch, Pass(isTraining: true), scale: 1 / Float(batch.lossTermCount)) }
    }
    let gradients = tape.gradients(of: loss)
    #expect(abs(loss.scalar - fixture.loss) < 1e-5)

    #expect(!fixture.gradients.isEmpty)
    for (stored, norm) in fixture.gradients {
      let parameter = try #require(
        model.catalog.parameters.first { parameter in
          ([parameter.path] + (model.family?.tensors.aliases(of: parameter.path) ?? [])).first(where: source.contains) == stored
        }, "\(stored)")
      let found = (gradients[parameter]?.sumOfSquares ?? .nan).squareRoot()
      #expect(abs(found - norm) < 1e-5 * max(1, norm), "\(stored)")
    }
  }

  /// A key that a configuration leaves out has the value that Transformers takes it for.
  @Test(arguments: ModelFixture.names)
  func omittedKeysHaveTheirDefaults(_ name: String) throws {
    let fixture = try ModelFixture(name)
    let omitted = Set((try ModelFixture("defaulted").json[name]?.array ?? []).compactMap(\.string))
    #expect(omitted.count > 3)
    let members = (fixture.json["config"]?.object.map { Array($0) } ?? []).filter { !omitted.contains($0.key) }
    let config = ArchitectureConfiguration(.object(JSONObject(members.map { ($0.key, $0.value) })), source: "config.json")
    let scope = Scope(source: SyntheticSource(fixture), catalog: SiteCatalog())
    let model = try ModelFamily.build(ModelRequest(config, task: fixture.task, pairsSentences: fixture.pairsSentences), in: scope)
    let batch = fixture.batch(for: model)
    let trainable = try #require(model as? any TrainableModel)
    #expect(abs(trainable.loss(batch, .inference, scale: 1 / Float(batch.lossTermCount)).scalar - fixture.loss) < 1e-5)
  }

  /// Older configurations say with which layer the windows begin, and not what each layer is.
  @Test func windowsBeginWithTheirLayer() throws {
    let fixture = try ModelFixture("qwen2-window")
    let members = (fixture.json["config"]?.object.map { Array($0) } ?? []).filter { $0.key != "layer_types" }
    let config = ArchitectureConfiguration(.object(JSONObject(members.map { ($0.key, $0.value) })), source: "config.json")
    let scope = Scope(source: SyntheticSource(fixture), catalog: SiteCatalog())
    let model = try #require(try ModelFamily.build(ModelRequest(config, task: .causalLM), in: scope) as? any TrainableModel)
    let batch = fixture.batch(for: model)
    #expect(abs(model.loss(batch, .inference, scale: 1 / Float(batch.lossTermCount)).scalar - fixture.loss) < 1e-5)
  }

  /// Whatever a checkpoint holds is used, but for what another tensor stands for.
  @Test(arguments: ModelFixture.names + ModelFixture.others)
  func everyTensorIsUsed(_ name: String) throws {
    let fixture = try ModelFixture(name)
    let source = SyntheticSource(fixture)
    let scope = Scope(source: source, catalog: SiteCatalog())
    _ = try ModelFamily.build(ModelRequest(fixture.configuration, task: fixture.task, pairsSentences: fixture.pairsSentences), in: scope)
    let unused = Set(source.tensorNames).subtracting(scope.consumedNames)
    #expect(unused.subtracting(["lm_head.bias"]).isEmpty)
  }

  /// The buckets that formats of relative positions are documented with.
  @Test func relativePositionBuckets() throws {
    let distances = [-200, -128, -127, -64, -20, -16, -15, -9, -8, -7, -1, 0, 1, 7, 8, 9, 15, 16, 20, 64, 127, 128, 200]
    func buckets(_ isBidirectional: Bool) throws -> [Int] {
      let bias = try RelativePositionBias(
        Scope(source: nil, catalog: SiteCatalog()), buckets: 32, heads: 1, maximumDistance: 128, isBidirectional: isBidirectional,
        initializer: .zeros)
      return distances.map(bias.bucket)
    }
    #expect(try buckets(true) == [15, 15, 15, 14, 10, 10, 9, 8, 8, 7, 1, 0, 17, 23, 24, 24, 25, 26, 26, 30, 31, 31, 31])
    #expect(try buckets(false) == [31, 31, 31, 26, 17, 16, 15, 9, 8, 7, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])
  }
}
