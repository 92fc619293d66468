import Foundation
import GraftJSON
import GraftOptimizers
import GraftTensors
import GraftTestSupport
import Testing

@Suite struct OptimizerTests {
  private static let fixtures = Fixtures("GraftOptimizersTests")

  private static let rules: [String: any UpdateRule] = [
    "sgd": SGD(), "momentum": Momentum(), "rmsprop": RMSProp(), "adam": Adam(), "adamw": AdamW(), "lion": Lion(), "adafactor": Adafactor(),
    "muon": Muon(), "muon_original": Muon(rateScale: .original),
  ]

  @Test(arguments: ["sgd", "momentum", "rmsprop", "adam", "adamw", "lion"])
  func weightsEqualTorch(name: String) throws {
    let golden = try Self.fixtures.json("optimizers.json")
    func floats(_ json: JSON?) -> [Float] { json?.floats ?? [] }
    let parameter = Parameter(path: "w", value: Tensor(floats(golden["start"])), isTrainable: true)
    let optimizer = Optimizer(
      try #require(Self.rules[name]), parameters: [parameter], weightDecay: try #require(golden["weight_decay"]?.double))
    for gradient in golden["gradients"]?.array ?? [] {
      // Twice the gradient at half the scale: clipping must not change what is learnt.
      var gradients = Gradients()
      gradients[parameter] = Tensor(floats(gradient).map { 2 * $0 })
      optimizer.step(gradients, learningRate: try #require(golden["learning_rate"]?.double), gradientScale: 0.5)
    }
    let expected = floats(golden["weights"]?[name])
    #expect(expected.count == 5)
    for (a, b) in zip(parameter.value.values, expected) { #expect(abs(a - b) <= 2e-6 * max(1, abs(b))) }
  }

  /// Rules whose updates depend on a parameter's shape, stopped after three of five steps and gone on with from their state.
  @Test(arguments: 0..<8)
  func shapedUpdatesEqualTheirReference(index: Int) throws {
    let golden = try Self.fixtures.json("optimizers.json")
    let example = try #require(golden["shaped"]?.array?[index])
    let rule = try #require(Self.rules[example["rule"]?.string ?? ""])
    let shape = Shape((example["shape"]?.array ?? []).compactMap(\.int))
    let decay = try #require(golden["weight_decay"]?.double)
    let rate = try #require(golden["learning_rate"]?.double)
    func floats(_ json: JSON?) -> [Float] { json?.floats ?? [] }
    let parameter = Parameter(path: "w", value: Tensor(floats(example["start"]), shape), isTrainable: true)
    var optimizer = Optimizer(rule, parameters: [parameter], weightDecay: decay)
    for (step, gradient) in (example["gradients"]?.array ?? []).enumerated() {
      if step == 3 {
        let held = Dictionary(uniqueKeysWithValues: optimizer.stateTensors.map { ($0.name, $0.tensor) })
        #expect(Set(held.keys) == Set((example["state"]?.object ?? JSONObject()).map { "w/\($0.key)" }))
        for (name, tensor) in held {
          let expected = floats(example["state"]?[String(name.dropFirst(2))])
          #expect(Self.isClose(tensor.values, expected), "\(name)")
        }
        optimizer = Optimizer(rule, parameters: [parameter], weightDecay: decay)
        try optimizer.restore(stepCount: 3) { try #require(held[$0]) }
      }
      var gradients = Gradients()
      gradients[parameter] = Tensor(floats(gradient).map { 2 * $0 }, shape)
      optimizer.step(gradients, learningRate: rate, gradientScale: 0.5)
    }
    #expect(Self.isClose(parameter.value.values, floats(example["weights"])))
  }

  private static func isClose(_ found: [Float], _ expected: [Float]) -> Bool {
    !expected.isEmpty && found.count == expected.count && zip(found, expected).allSatisfy { abs($0 - $1) <= 1e-5 * max(1, abs($1)) }
  }

  /// Muon is for matrices; vectors learn as AdamW has them learn.
  @Test func muonLeavesVectorsToAdamW() {
    func learn(_ rule: any UpdateRule) -> [Float] {
      let parameter = Parameter(path: "w", value: Tensor([1, -2, 3]), isTrainable: true)
      let optimizer = Optimizer(rule, parameters: [parameter], weightDecay: 0.1)
      for step in 0..<3 {
        var gradients = Gradients()
        gradients[parameter] = Tensor([Float(step), 1, -0.5])
        optimizer.step(gradients, learningRate: 0.1)
      }
      return parameter.value.values
    }
    #expect(learn(Muon()) == learn(AdamW()))
  }

  /// Slices of a long parameter are updated apart: each finds its own state and gradient.
  @Test(arguments: ["momentum", "rmsprop", "adam", "adamw", "lion"])
  func longParametersAreUpdatedInSlices(name: String) throws {
    let rule = try #require(Self.rules[name])
    let count = 100_000
    func learn(_ values: Range<Int>) -> [Float] {
      let parameter = Parameter(path: "w", value: Tensor(values.map { Float($0 % 17) }), isTrainable: true)
      let optimizer = Optimizer(rule, parameters: [parameter], weightDecay: 0.1)
      for step in 1...2 {
        var gradients = Gradients()
        gradients[parameter] = Tensor(values.map { Float($0 % 13 * step) - 5 })
        optimizer.step(gradients, learningRate: 0.1)
      }
      return parameter.value.values
    }
    let whole = learn(0..<count)
    for part in [0..<100, 32_700..<32_900, count - 100..<count] { #expect(learn(part) == Array(whole[part])) }
  }

  @Test(arguments: LearningRateSchedule.Shape.allCases)
  func ratesEqualTransformers(shape: LearningRateSchedule.Shape) throws {
    let golden = try Self.fixtures.json("schedules.json")
    let total = try #require(golden["total"]?.int)
    let schedule = LearningRateSchedule(shape, peak: 1, warmupSteps: try #require(golden["warmup"]?.int), totalSteps: total)
    let expected = (golden["rates"]?[shape.rawValue]?.array ?? []).compactMap(\.double)
    #expect(expected.count == total)
    for (step, rate) in expected.enumerated() { #expect(abs(schedule.learningRate(atStep: step) - rate) < 1e-9) }
  }

  @Test func decayLeavesOutWhatItIsToldTo() {
    let kept = Parameter(path: "a", value: Tensor([1]), isTrainable: true)
    let decayed = Parameter(path: "b", value: Tensor([1]), isTrainable: true)
    let optimizer = Optimizer(AdamW(), parameters: [kept, decayed], weightDecay: 0.5, isDecayed: { $0.path == "b" })
    var gradients = Gradients()
    gradients[kept] = Tensor([0])
    gradients[decayed] = Tensor([0])
    optimizer.step(gradients, learningRate: 0.1)
    #expect(kept.value.values == [1])
    #expect(decayed.value.values == [0.95])
  }

  @Test func restoredStateGoesOnToTheBit() throws {
    func run(interrupting: Bool) throws -> [Float] {
      let p = Parameter(path: "p", value: Tensor([1, -2, 3]), isTrainable: true)
      var optimizer = Optimizer(AdamW(), parameters: [p])
      for step in 0..<6 {
        if interrupting && step == 3 {
          let saved = Dictionary(uniqueKeysWithValues: optimizer.stateTensors.map { ($0.name, $0.tensor) })
          optimizer = Optimizer(AdamW(), parameters: [p])
          try optimizer.restore(stepCount: 3) { try #require(saved[$0]) }
        }
        var gradients = Gradients()
        gradients[p] = Tensor([Float(step), 1, -0.5])
        optimizer.step(gradients, learningRate: 0.01)
      }
      return p.value.values
    }
    #expect(try run(interrupting: true) == run(interrupting: false))
  }
}
