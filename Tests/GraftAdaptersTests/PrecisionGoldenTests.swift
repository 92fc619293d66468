import GraftAdapters
import GraftBatching
import GraftCheckpoints
import GraftJSON
import GraftLayers
import GraftModels
import GraftOptimizers
import GraftTensors
import GraftTestSupport
import GraftTraining
import Testing

/// The losses that PyTorch's autocast has with tiny models, made by `Scripts/make-precision-goldens.py`, and ours.
struct PrecisionFixture {
  /// A model and what of it is trained.
  struct Case: Sendable, CustomTestStringConvertible {
    let model: String, method: String
    var testDescription: String { "\(model), \(method)" }
  }

  static let cases = ["llama", "bert", "t5"].flatMap { model in ["lora", "full"].map { Case(model: model, method: $0) } }

  private let json: JSON
  private let `case`: Case

  init(_ case: Case) throws {
    self.case = `case`
    json = try #require(try Fixtures("GraftAdaptersTests").json("precision.json")[`case`.model])
  }

  /// The reference's loss before every step.
  func curve(_ name: String) -> [Double] { json["curves"]?[`case`.method]?[name]?.doubles ?? [] }

  /// The distance of a curve in float32 arithmetic from the same in float64: what the order of sums may change.
  func noise(_ name: String) -> Double { json["noise"]?[`case`.method]?[name]?.double ?? .infinity }

  var rate: Double { json["rates"]?[`case`.method]?.double ?? .nan }

  /// The base, whose frozen weights are kept in a format.
  private func base(_ frozenType: ElementFormat) throws -> any TrainableModel {
    let tensors = (json["tensors"]?.object ?? [:]).map { name, entry in
      let shape = Shape((entry["shape"]?.array ?? []).compactMap(\.int))
      let scale = Float(entry["scale"]?.double ?? 1)
      let values = syntheticValues(name, count: shape.elementCount, centre: entry["centre"]?.double ?? 0).map { scale * $0 }
      return StoredTensor(name: name, tensor: Tensor(values, shape))
    }
    let scope = Scope(source: InMemoryWeights(name: `case`.model, tensors), catalog: SiteCatalog(), frozenType: frozenType)
    let configuration = ArchitectureConfiguration(try #require(json["config"]), source: `case`.model)
    let task = try #require(json["task"]?.string.flatMap(LearningTask.init))
    return try #require(try ModelFamily.build(ModelRequest(configuration, task: task), in: scope) as? any TrainableModel)
  }

  /// Makes what the method trains trainable: a delta on the catalogue, or all of it.
  private func parameters(of model: any TrainableModel) throws -> (parameters: [Parameter], delta: Delta?) {
    guard `case`.method == "lora" else {
      for parameter in model.catalog.parameters { parameter.isTrainable = true }
      return (model.catalog.parameters, nil)
    }
    let configuration: JSON = [
      "peft_type": "LORA", "r": json["rank"] ?? .null, "lora_alpha": json["alpha"] ?? .null, "target_modules": json["targets"] ?? .null,
    ]
    let delta = try Delta(try MethodCatalog.decode(stored: configuration, from: `case`.model), on: model.catalog)
    for (key, parameter) in delta.parameters {
      parameter.assign(Tensor(syntheticValues(key, count: parameter.shape.elementCount), parameter.shape))
    }
    return (delta.parameters.map(\.parameter), delta)
  }

  private func batch(_ model: any TrainableModel) -> Batch {
    let examples = (json["examples"]?.array ?? []).map { example in
      EncodedExample(
        tokens: example["tokens"]?.tokenIDs ?? [], label: example["label"]?.int.map(ExampleLabel.class), source: example["source"]?.tokenIDs)
    }
    if let pairs = model as? any SequenceToSequenceModel {
      return Batch(collating: examples, objective: .shiftedRight(startID: pairs.decoderStartID))
    }
    return Batch(collating: examples, objective: model is any SequenceClassifier ? .labels : .nextToken)
  }

  /// The loss before every step of ours, and the trained values after the last.
  ///
  /// - Parameters:
  ///   - frozenType: the format of the base where it is frozen; that of the operands where nil.
  ///   - steps: as many as the reference's where nil.
  ///   - isScaled: true where float16 has a loss scale.
  ///   - weight: the factor of the loss, which the rate undoes.
  func train(
    _ arithmetic: Execution.Arithmetic, frozenType: ElementFormat? = nil, steps: Int? = nil, isScaled: Bool = true, weight: Float = 1,
    rule: any UpdateRule = AdamW()
  ) throws -> (losses: [Double], values: [[Float]]) {
    let operands: ElementFormat =
      switch arithmetic {
      case .float32: .float32
      case .bfloat16: .bfloat16
      case .float16: .float16
      }
    let model = try base(`case`.method == "lora" ? frozenType ?? operands : .float32)
    let (parameters, delta) = try parameters(of: model)
    let count = steps ?? curve("fp32").count
    var settings = Trainer.Settings(
      schedule: LearningRateSchedule(.constant, peak: rate, totalSteps: count), maxGradientNorm: nil, loggingSteps: 1, recomputation: false, seed: 0)
    settings.arithmetic = arithmetic
    if arithmetic == .float16, isScaled { settings.lossScale = LossScale.Settings() }
    let trainer = Trainer(Optimizer(rule, parameters: parameters), settings: settings) { model.loss($0, $1, scale: weight * $2) }
    let batch = batch(model)
    var losses: [Double] = []
    for step in BatchPlanner(batchSize: 1).plan(lengths: [1]).steps(0..<count) {
      try trainer.run(step, batch: { _ in batch }) { event in
        if case .stepped(_, _, let loss, _, _) = event { losses.append(loss / Double(weight)) }
      }
    }
    return withExtendedLifetime(delta) { (losses, parameters.map(\.value.values)) }
  }
}

/// 16-bit training learns what PyTorch's autocast learns, and by 16-bit arithmetic.
@Suite(.serialized) struct PrecisionGoldenTests {
  private static let precisions = [(Execution.Arithmetic.bfloat16, ElementFormat.bfloat16, "bf16"), (.float16, .float16, "fp16")]

  /// The root of the mean squared distance of two curves; infinity where they cannot be compared.
  private func distance(_ found: [Double], _ expected: [Double]) -> Double {
    guard found.count == expected.count, found.count > 8 else { return .infinity }
    let total = zip(found, expected).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
    return total.isNaN ? .infinity : (total / Double(found.count)).squareRoot()
  }

  /// 16-bit arithmetic is at most `multiple` times as far from autocast as autocast is from float32.
  ///
  /// It is not float32 arithmetic, over whatever weights, where it is further from that than `clearance` times what the order of sums explains.
  /// Autocast's own distance is no measure of that: autocast rounds results of products too, where ours keeps their sums.
  private static let (multiple, clearance) = (3.0, 10.0)

  @Test(arguments: PrecisionFixture.cases) func `losses follow autocast's`(_ name: PrecisionFixture.Case) throws {
    let fixture = try PrecisionFixture(name)
    let exact = try fixture.train(.float32).losses
    for (arithmetic, format, precision) in Self.precisions {
      let (autocast, weights) = (fixture.curve(precision), "\(precision)-weights")
      let own = distance(autocast, fixture.curve("fp32"))
      let found = try fixture.train(arithmetic).losses
      let rounded = try fixture.train(.float32, frozenType: format).losses
      // In float32 the two engines agree: the fixture's script asserts the same of PyTorch's float32 and float64.
      #expect(distance(exact, fixture.curve("fp32")) < own / 100)
      #expect(distance(found, autocast) < Self.multiple * own)
      #expect(distance(found, exact) > Self.clearance * fixture.noise("fp32"))
      #expect(distance(found, rounded) > Self.clearance * fixture.noise("fp32"))
      // A last bit decides to which side a trained weight is rounded. T5 answers that with a noise of autocast's own size, which hides the rest.
      if name.model != "t5" { #expect(distance(found, fixture.curve(weights)) > Self.clearance * fixture.noise(weights)) }
    }
  }

  @Test(arguments: PrecisionFixture.cases) func `any number of threads learns the same bits`(_ name: PrecisionFixture.Case) throws {
    let fixture = try PrecisionFixture(name)
    let threads = Threads.count
    defer { Threads.count = threads }
    for arithmetic in Execution.Arithmetic.allCases {
      let found = try [1, 2, 3, 8].map { count in
        Threads.count = count
        return try fixture.train(arithmetic, steps: 3).values
      }
      #expect(found.dropFirst().allSatisfy { $0 == found[0] }, "\(arithmetic)")
      #expect(!found[0].isEmpty && found[0].allSatisfy { !$0.isEmpty && $0.allSatisfy(\.isFinite) })
    }
  }

  /// Of a loss that counts little, as one of many tokens does, float16 keeps no gradient unless the loss is scaled.
  ///
  /// With Llama alone, every gradient of whose matrices is a product of 16-bit operands: the bias of BERT's classifier sums float32 gradients and
  /// learns without a scale, and T5 learns too little by plain descent to tell.
  @Test func `float16 learns nothing from small gradients without a loss scale`() throws {
    let fixture = try PrecisionFixture(PrecisionFixture.Case(model: "llama", method: "full"))
    let weight: Float = 0x1p-24
    let reference = try fixture.train(.float32, weight: weight, rule: RescaledDescent(weight: weight)).losses
    let scaled = try fixture.train(.float16, weight: weight, rule: RescaledDescent(weight: weight)).losses
    let lost = try fixture.train(.float16, isScaled: false, weight: weight, rule: RescaledDescent(weight: weight)).losses
    let (first, last) = (try #require(reference.first), try #require(reference.last))
    #expect(last < 0.9 * first)
    #expect(abs((scaled.last ?? .nan) - last) < 0.05 * (first - last))
    #expect((lost.last ?? .nan) > first - 0.05 * (first - last))
  }
}

/// Gradient descent that divides a loss's weight out of its gradients.
private struct RescaledDescent: UpdateRule {
  let weight: Float

  func state(of shape: Shape) -> [StateDescription] { [] }

  func update(_ weights: inout MutableSpan<Float>, _ state: inout UpdateState, gradient: Span<Float>, shape: Shape, _ context: UpdateContext) {
    for i in weights.indices { weights[i] -= 10 * Float(context.learningRate) * (gradient[i] * context.gradientScale / weight) }
  }
}
