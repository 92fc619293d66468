import Foundation
import GraftBatching
import GraftLayers
import GraftOptimizers
import GraftTensors
import GraftTraining
import Testing

/// A weight that is drawn towards goals: a loss-carrying row costs half the squared distance from the weight to its goal.
///
/// The gradient of a mean over rows is the distance to the goals' mean, so that every step is known in closed form.
final class Quadratic {
  let weight: Parameter
  let goals: [[Float]]

  init(start: [Float], goals: [[Float]]) {
    weight = Parameter(path: "weight", value: Tensor(start), isTrainable: true)
    self.goals = goals
  }

  /// `scale * Σ |weight - goal|² / 2`.
  func loss(_ batch: Batch, _ pass: Pass, _ scale: Float) -> Tensor {
    let rows = batch.lossRows.map { goals[Int(batch.targets[Int($0)])] }
    let distances = addRow(Tensor(rows.flatMap { $0 }, [rows.count, weight.shape[0]]), -1 * weight.operand)
    return 0.5 * scale * sum(distances * distances)
  }

  var values: [Double] { weight.value.values.map(Double.init) }

  func mean(of rows: [Int]) -> [Double] {
    weight.value.values.indices.map { column in rows.reduce(0) { $0 + Double(goals[$1][column]) } / Double(rows.count) }
  }
}

/// Examples whose tokens are the goals of their rows.
struct Goals {
  let examples: [[Int]]

  var plan: (_ batchSize: Int, _ accumulation: Int) -> BatchPlan {
    { BatchPlanner(batchSize: $0, gradientAccumulationSteps: $1).plan(lengths: examples.map(\.count)) }
  }

  func batch(_ indices: [Int]) -> Batch {
    let encoded = indices.map { index -> EncodedExample in
      let ids = examples[index].map { Int32($0) }
      return EncodedExample(tokens: ids, tokenLabels: ids.map { $0 < 0 ? Batch.ignoredTarget : $0 })
    }
    return Batch(collating: encoded, objective: .tokenLabels)
  }
}

private func norm(_ x: [Double]) -> Double { x.reduce(0) { $0 + $1 * $1 }.squareRoot() }

func isClose(_ found: [Double], _ expected: [Double], _ tolerance: Double = 1e-5) -> Bool {
  found.count == expected.count && zip(found, expected).allSatisfy { abs($0 - $1) <= tolerance }
}

@Suite struct TrainerTests {
  private static let goals: [[Float]] = [[1, 0], [3, -2], [-1, 4], [0, 2]]

  private static func settings(
    _ schedule: LearningRateSchedule, clip: Double? = nil, logging: Int = 1, recomputation: Bool = false, seed: Int = 0
  ) -> Trainer.Settings {
    Trainer.Settings(
      schedule: schedule, maxGradientNorm: clip, loggingSteps: logging, recomputation: recomputation, seed: seed)
  }

  private static func constant(_ rate: Double, steps: Int = 5) -> LearningRateSchedule {
    LearningRateSchedule(.constant, peak: rate, totalSteps: steps)
  }

  /// Runs steps over one quadratic and returns the log's lines and the weight after every step.
  private func run(
    _ quadratic: Quadratic, _ data: Goals, _ settings: Trainer.Settings, batchSize: Int = 4, accumulation: Int = 1, steps: Range<Int>,
    hooks: Trainer.Hooks = Trainer.Hooks()
  ) throws -> (lines: [TrainingLine], path: [[Double]]) {
    let trainer = Trainer(Optimizer(SGD(), parameters: [quadratic.weight]), settings: settings, hooks: hooks, loss: quadratic.loss)
    var lines: [TrainingLine] = []
    var path: [[Double]] = []
    for step in data.plan(batchSize, accumulation).steps(steps) {
      try trainer.run(step, isLast: step.index + 1 == steps.upperBound, batch: data.batch) { event in
        if case .logged(let line) = event { lines.append(line) }
      }
      path.append(quadratic.values)
    }
    return (lines, path)
  }

  @Test func aQuadraticTakesItsKnownPath() throws {
    let quadratic = Quadratic(start: [5, -3], goals: Self.goals)
    let rates = [0, 0.25, 0.5, 0.375, 0.25, 0.125]
    let schedule = LearningRateSchedule(.linear, peak: 0.5, warmupSteps: 2, totalSteps: 6)
    let mean = quadratic.mean(of: [0, 1, 2, 3])
    var weight = quadratic.values
    var expected: [[Double]] = []
    var losses: [Double] = []
    var norms: [Double] = []
    for rate in rates {
      let distance = zip(weight, mean).map(-)
      losses.append(Self.goals.reduce(0) { $0 + norm(zip(weight, $1).map { $0 - Double($1) }) * norm(zip(weight, $1).map { $0 - Double($1) }) } / 8)
      norms.append(norm(distance))
      weight = zip(weight, distance).map { $0 - rate * $1 }
      expected.append(weight)
    }
    let (lines, path) = try run(quadratic, Goals(examples: [[0], [1], [2], [3]]), Self.settings(schedule), steps: 0..<6)
    // A warm-up begins at a rate of zero: the first step changes nothing.
    #expect(path[0] == [5, -3])
    for (found, expected) in zip(path, expected) { #expect(isClose(found, expected)) }
    #expect(isClose(lines.map(\.learningRate), rates, 1e-12))
    #expect(isClose(lines.map(\.loss), losses))
    #expect(isClose(lines.map(\.gradientNorm), norms))
    #expect(lines.map(\.step) == [1, 2, 3, 4, 5, 6])
  }

  @Test func theRateIsThatOfTheStepWhereverARunBegins() throws {
    let schedule = LearningRateSchedule(.cosine, peak: 0.1, warmupSteps: 3, totalSteps: 10)
    let (lines, _) = try run(
      Quadratic(start: [1, 1], goals: Self.goals), Goals(examples: [[0, 1]]), Self.settings(schedule), steps: 2..<8)
    #expect(lines.map(\.step) == [3, 4, 5, 6, 7, 8])
    #expect(lines.map(\.learningRate) == (2..<8).map(schedule.learningRate(atStep:)))
  }

  /// A step of a clipped gradient has the length of the rate times the bound, and the direction of the gradient.
  @Test(arguments: [0.5, 1, 4.9])
  func longGradientsAreClipped(bound: Double) throws {
    let quadratic = Quadratic(start: [4, 3], goals: [[0, 0]])
    let (lines, path) = try run(quadratic, Goals(examples: [[0]]), Self.settings(Self.constant(0.1), clip: bound), steps: 0..<1)
    #expect(isClose(path[0], [4 - 0.1 * bound * 0.8, 3 - 0.1 * bound * 0.6]))
    #expect(abs(lines[0].gradientNorm - 5) < 1e-5)
  }

  /// None, 0 and a bound that is not reached leave a gradient as it is.
  @Test(arguments: [nil, 0, 5.1, 100] as [Double?])
  func otherGradientsAreNot(bound: Double?) throws {
    let quadratic = Quadratic(start: [4, 3], goals: [[0, 0]])
    let (_, path) = try run(quadratic, Goals(examples: [[0]]), Self.settings(Self.constant(0.1), clip: bound), steps: 0..<1)
    #expect(isClose(path[0], [3.6, 2.7]))
  }

  /// A step's loss is one mean over the rows of all its micro-batches, whatever their sizes; clipping sees their sum.
  @Test(arguments: [nil, 1] as [Double?])
  func microBatchesAreOneBatch(clip: Double?) throws {
    let data = Goals(examples: [[0], [1, 2, 3, 1], [2, -1], [-1, -1], [3, 3, 0]])
    func steps(_ batchSize: Int, _ accumulation: Int) throws -> (lines: [TrainingLine], path: [[Double]]) {
      try run(
        Quadratic(start: [5, -3], goals: Self.goals), data, Self.settings(Self.constant(0.2), clip: clip), batchSize: batchSize,
        accumulation: accumulation, steps: 0..<4)
    }
    let whole = try steps(5, 1)
    for (batchSize, accumulation) in [(1, 5), (2, 3), (3, 2)] {
      let parts = try steps(batchSize, accumulation)
      for (found, expected) in zip(parts.path, whole.path) { #expect(isClose(found, expected)) }
      #expect(isClose(parts.lines.map(\.loss), whole.lines.map(\.loss)))
      #expect(isClose(parts.lines.map(\.gradientNorm), whole.lines.map(\.gradientNorm)))
      #expect(parts.lines.map(\.tokens) == [12, 24, 36, 48])
    }
  }

  /// The losses of layers are means over a micro-batch: they count by the micro-batch's share of the step's rows.
  @Test func auxiliaryLossesAreWeighedByTheirRows() throws {
    let data = Goals(examples: [[0], [1, 2, 3]])
    func step(_ batchSize: Int, _ accumulation: Int) throws -> (loss: Double, weight: [Double]) {
      let quadratic = Quadratic(start: [5, -3], goals: Self.goals)
      var loss = 0.0
      let trainer = Trainer(Optimizer(SGD(), parameters: [quadratic.weight]), settings: Self.settings(Self.constant(0.1))) { batch, pass, scale in
        // A mean that is 1 in the first micro-batch and 3 in the second: the number of its rows.
        pass.auxiliary?.add(loss: Float(batch.lossTokenCount) * sum(quadratic.weight.operand), as: "sum")
        pass.auxiliary?.add(loss: 0.5 * sum(quadratic.weight.operand), as: "half")
        return quadratic.loss(batch, pass, scale)
      }
      for step in data.plan(batchSize, accumulation).steps(0..<1) {
        try trainer.run(step, batch: data.batch) { if case .logged(let line) = $0 { loss = line.loss } }
      }
      return (loss, quadratic.values)
    }
    let mean = (0..<2).map { column in Self.goals.reduce(0) { $0 + Double($1[column]) } / 4 }
    let squares = Self.goals.reduce(0) { $0 + (pow(5 - Double($1[0]), 2) + pow(-3 - Double($1[1]), 2)) / 8 }
    // Shares of 1/4 and 3/4 in two micro-batches; all of it in one.
    for (batchSize, accumulation, factor) in [(1, 2, 0.25 * 1 + 0.75 * 3 + 0.5), (2, 1, 4 + 0.5)] {
      let found = try step(batchSize, accumulation)
      #expect(isClose(found.weight, zip([5, -3], mean).map { $0 - 0.1 * ($0 - $1 + factor) }))
      #expect(abs(found.loss - (squares + factor * 2)) < 1e-4)
    }
  }

  /// Losses of layers are logged by name without their coefficients, as means over the rows since the last line; experts' rows are counted.
  @Test func auxiliaryLossesAndLoadsAreLogged() throws {
    let data = Goals(examples: [[0], [1, 2, 3]])
    let quadratic = Quadratic(start: [0, 0], goals: Self.goals)
    let trainer = Trainer(
      Optimizer(SGD(), parameters: [quadratic.weight]), settings: Self.settings(Self.constant(0.1, steps: 60), logging: 2)
    ) { batch, pass, scale in
      pass.auxiliary?.add(loss: Tensor([Float(batch.lossTokenCount)], []), times: 0.01, as: "aux_loss")
      for layer in ["first", "second"] {
        pass.auxiliary?.leave(ExpertLoad(path: layer, rows: layer == "first" ? [batch.lossTokenCount, 1] : [2, 2]))
      }
      return quadratic.loss(batch, pass, scale)
    }
    var lines: [TrainingLine] = []
    for step in data.plan(1, 2).steps(0..<60) {
      try trainer.run(step, isLast: step.index == 59, batch: data.batch) { if case .logged(let line) = $0 { lines.append(line) } }
    }
    // One row of a mean of 1, three of a mean of 3.
    #expect(lines.count == 30 && lines.allSatisfy { $0.auxiliaryLosses == [AuxiliaryLoss("aux_loss", 2.5)] })
    // Rows of 4 and 2 in the first layer: 4/3 of the mean; 1 in the second.
    #expect(lines.allSatisfy { abs(($0.expertImbalance ?? 0) - (4.0 / 3 + 1) / 2) < 1e-12 })
    let loads = trainer.progress.expertLoads
    #expect(loads.stepCount == 60 && loads.windows.map(\.stepCount) == [50, 10] && loads.layers.map(\.path) == ["first", "second"])
    #expect(loads.layers.map(\.rows) == [[240, 120], [240, 240]])
    #expect(trainer.progress.unloggedAuxiliary.isEmpty)
  }

  /// A trainer goes on counting where another one stopped, and forgets the older of two full windows.
  @Test func recentLoadsGoOn() throws {
    let data = Goals(examples: [[0]])
    func trained(_ steps: Range<Int>, from progress: TrainingProgress) throws -> TrainingProgress {
      let quadratic = Quadratic(start: [0, 0], goals: Self.goals)
      let trainer = Trainer(
        Optimizer(SGD(), parameters: [quadratic.weight]), settings: Self.settings(Self.constant(0.1, steps: 200), logging: 1000), progress: progress
      ) { batch, pass, scale in
        pass.auxiliary?.add(loss: Tensor([3], []), as: "aux_loss")
        pass.auxiliary?.leave(ExpertLoad(path: "layer", rows: [1, 0]))
        return quadratic.loss(batch, pass, scale)
      }
      for step in data.plan(1, 1).steps(steps) { try trainer.run(step, batch: data.batch) { _ in } }
      return trainer.progress
    }
    let whole = try trained(0..<130, from: TrainingProgress())
    let parts = try trained(75..<130, from: try trained(0..<75, from: TrainingProgress()))
    #expect(parts.expertLoads == whole.expertLoads && parts.unloggedAuxiliary == whole.unloggedAuxiliary)
    #expect(whole.expertLoads.stepCount == 80 && whole.expertLoads.layers == [ExpertLoad(path: "layer", rows: [80, 0])])
    #expect(whole.unloggedAuxiliary == [AuxiliaryLoss("aux_loss", 390)] && whole.expertLoads.imbalance == 2)
  }

  /// Every micro-batch of every step draws from a stream of its own, the same ones under the same seed.
  @Test func everyMicroBatchHasItsRandomStream() throws {
    func keys(seed: Int, steps: Range<Int>) throws -> [UInt64] {
      var keys: [UInt64] = []
      let quadratic = Quadratic(start: [1, 1], goals: Self.goals)
      let data = Goals(examples: [[0], [1], [2]])
      let trainer = Trainer(
        Optimizer(SGD(), parameters: [quadratic.weight]), settings: Self.settings(Self.constant(0.1), recomputation: true, seed: seed)
      ) { batch, pass, scale in
        keys.append(pass.random.key)
        #expect(pass.isTraining && Execution.current.recomputation && pass.state == nil)
        return quadratic.loss(batch, pass, scale)
      }
      for step in data.plan(1, 3).steps(steps) { try trainer.run(step, batch: data.batch) { _ in } }
      return keys
    }
    let all = try keys(seed: 3, steps: 0..<4)
    #expect(all.count == 12 && Set(all).count == 12)
    #expect(try keys(seed: 3, steps: 2..<4) == Array(all[6...]))
    #expect(Set(all).isDisjoint(with: try keys(seed: 4, steps: 0..<4)))
  }

  /// Dropout of two micro-batches and two steps takes different elements.
  @Test func masksDiffer() throws {
    var masks: [[Float]] = []
    let weight = Parameter(path: "weight", value: Tensor(repeating: 1, shape: [64]), isTrainable: true)
    let trainer = Trainer(Optimizer(SGD(), parameters: [weight]), settings: Self.settings(Self.constant(0))) { _, pass, scale in
      let kept = pass.dropout(weight.operand, 0.5, at: "here")
      masks.append(kept.values)
      return scale * sum(kept)
    }
    let data = Goals(examples: [[0], [0]])
    for step in data.plan(1, 2).steps(0..<2) { try trainer.run(step, batch: data.batch) { _ in } }
    #expect(Set(masks).count == 4)
    #expect(masks.allSatisfy { $0.allSatisfy { $0 == 0 || $0 == 2 } && (16...48).contains($0.filter { $0 == 0 }.count) })
  }

  @Test func aPenaltyIsAddedOnceAStep() throws {
    let quadratic = Quadratic(start: [0, 0], goals: [[0, 0]])
    let hooks = Trainer.Hooks(penalty: { 3 * sum(quadratic.weight.operand) })
    let (lines, path) = try run(
      quadratic, Goals(examples: [[0], [0], [0]]), Self.settings(Self.constant(1)), batchSize: 1, accumulation: 3, steps: 0..<1, hooks: hooks)
    #expect(path == [[-3, -3]])
    #expect(abs(lines[0].gradientNorm - 18.0.squareRoot()) < 1e-6)
  }

  /// A method hears of an update after it, with its gradients, and with what clipping multiplied into them.
  @Test func updatesAreTold() throws {
    let quadratic = Quadratic(start: [4, 3], goals: [[0, 0]])
    var told: [(step: Int, scale: Float, gradient: [Float]?, weight: [Float])] = []
    let hooks = Trainer.Hooks(updated: { told.append(($0, $2, $1[quadratic.weight]?.values, quadratic.weight.value.values)) })
    _ = try run(quadratic, Goals(examples: [[0]]), Self.settings(Self.constant(0.5), clip: 1), steps: 0..<2, hooks: hooks)
    #expect(told.map(\.step) == [1, 2])
    #expect(abs(told[0].scale - 0.2) < 1e-6 && told[0].gradient == [4, 3])
    #expect(isClose(told[0].weight.map(Double.init), [3.6, 2.7]))
  }

  /// A line's loss is the mean over all rows since the last line, not of the steps' means; the last step always has one.
  @Test func linesAverageOverTheirRows() throws {
    let goals: [[Float]] = [[1], [2], [3]]
    let data = Goals(examples: [[0, 0, 0], [1], [2, 2], [0], [1, 1]])
    let quadratic = Quadratic(start: [0], goals: goals)
    // Half the squared goal, weighted by rows: steps of 0.5, 2, 4.5, 0.5 and 2.
    let (lines, _) = try run(quadratic, data, Self.settings(Self.constant(0), logging: 2), batchSize: 1, steps: 0..<5)
    #expect(lines.map(\.step) == [2, 4, 5])
    #expect(isClose(lines.map(\.loss), [(3 * 0.5 + 2) / 4, (2 * 4.5 + 0.5) / 3, 2]))
    #expect(lines.map(\.tokens) == [4, 7, 9])
    #expect(isClose(lines.map(\.epoch), [0.4, 0.8, 1], 1e-12))
  }

  @Test func everyStepIsTold() throws {
    let quadratic = Quadratic(start: [0], goals: [[1], [2]])
    let data = Goals(examples: [[0], [1]])
    let trainer = Trainer(
      Optimizer(SGD(), parameters: [quadratic.weight]), settings: Self.settings(Self.constant(0, steps: 7), logging: 100), loss: quadratic.loss)
    var losses: [Double] = []
    var totals: Set<Int> = []
    for step in data.plan(1, 1).steps(0..<4) {
      try trainer.run(step, batch: data.batch) { event in
        guard case .stepped(let done, let total, let loss, _, _) = event else { return }
        #expect(done == step.index + 1)
        totals.insert(total)
        losses.append(loss)
      }
    }
    #expect(isClose(losses, [0.5, 2, 0.5, 2]))
    #expect(totals == [7])
  }

  /// Neither a loss nor a gradient that is not finite reaches the weights.
  @Test(arguments: [true, false])
  func whatIsNotFiniteStopsTheRun(isLoss: Bool) throws {
    let start: [Float] = isLoss ? [1, 2] : [0, 0]
    let data = Goals(examples: [[0]])
    let weight = Parameter(path: "weight", value: Tensor(start), isTrainable: true)
    let trainer = Trainer(Optimizer(SGD(), parameters: [weight]), settings: Self.settings(Self.constant(1))) { _, _, _ in
      isLoss ? sum(Tensor([.infinity, 0]) + weight.operand) : 1e30 * (1e30 * sum(weight.operand))
    }
    for step in data.plan(1, 1).steps(4..<5) {
      #expect { try trainer.run(step, batch: data.batch) { _ in } } throws: { error in
        let cause = isLoss ? "loss is not finite: add at weight gives inf" : "gradient is not finite: the way back through scale at weight gives inf"
        return (error as? TrainingError)?.kind == .diverged && "\(error)".hasPrefix("step 5: the \(cause)")
      }
    }
    #expect(weight.value.values == start)
  }
}
