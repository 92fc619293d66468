import GraftOptimizers
import GraftTensors
import Testing

/// An optimizer's state in bfloat16, rounded by chance.
@Suite(.serialized) struct OptimizerStateTests {
  /// Writes one value into its state.
  private struct Constant: UpdateRule {
    let value: Float

    func state(of shape: Shape) -> [StateDescription] { [StateDescription("held", shape)] }

    func update(_ weights: inout MutableSpan<Float>, _ state: inout UpdateState, gradient: Span<Float>, shape: Shape, _ context: UpdateContext) {
      state.with(0) { held in
        for i in held.indices { held[i] = value }
      }
    }
  }

  private func parameter(_ count: Int) -> Parameter { Parameter(path: "w", value: .zeros([count]), isTrainable: true) }

  private func step(_ optimizer: Optimizer, _ parameter: Parameter, gradient: Tensor, rate: Double = 1e-3) {
    var gradients = Gradients()
    gradients[parameter] = gradient
    optimizer.step(gradients, learningRate: rate)
  }

  /// One of the two neighbours, as often as makes the mean right; a value that the format has, and what is not finite, stay.
  @Test(arguments: [1.001, -3.14159, 0.25, 0x1p-140, -.infinity, .nan] as [Float])
  func chanceKeepsTheMean(value: Float) {
    let count = 40_000
    let parameter = parameter(count)
    let optimizer = Optimizer(Constant(value: value), parameters: [parameter], stateFormat: .bfloat16)
    step(optimizer, parameter, gradient: .zeros([count]))
    let held = optimizer.stateTensors[0].tensor
    #expect(held.dtype == .bfloat16)
    let low = Float(bitPattern: value.bitPattern & 0xFFFF_0000)
    let high = Float(bitPattern: low.bitPattern &+ 0x10000)
    if !value.isFinite || low == value {
      #expect(held.values.allSatisfy { $0 == value || $0.isNaN && value.isNaN })
    } else {
      #expect(held.values.allSatisfy { $0 == low || $0 == high })
      let share = held.values.reduce(0.0) { $0 + ($1 == high ? 1 : 0) } / Double(count)
      let expected = Double((value - low) / (high - low))
      #expect(abs(share - expected) < 5 * (expected * (1 - expected) / Double(count)).squareRoot())
    }
  }

  /// The way that weights go under gradients that fall from 10 to 0.1: the second moment has to follow, by a thousandth in a step.
  private func way(_ stateFormat: ElementFormat, roundsToNearest: Bool = false) throws -> Double {
    let parameter = parameter(512)
    let optimizer = Optimizer(AdamW(), parameters: [parameter], stateFormat: stateFormat)
    for index in 0..<2000 {
      step(optimizer, parameter, gradient: Tensor(repeating: index < 50 ? 10 : 0.1, shape: parameter.shape))
      guard roundsToNearest else { continue }
      let rounded = Dictionary(optimizer.stateTensors.map { ($0.name, $0.tensor.converted(to: .bfloat16).converted(to: .float32)) }) { $1 }
      try optimizer.restore(stepCount: index + 1) { try #require(rounded[$0]) }
    }
    return -parameter.value.values.reduce(0.0) { $0 + Double($1) } / 512
  }

  @Test func trainsAsFloat32DoesWhereRoundingToNearestStalls() throws {
    let (exact, chance, nearest) = (try way(.float32), try way(.bfloat16), try way(.float32, roundsToNearest: true))
    #expect(abs(chance - exact) < 0.02 * exact)
    #expect(abs(nearest - exact) > 0.2 * exact)
  }

  /// Neither threads nor an interruption change a bit; the state takes half.
  @Test(arguments: [AdamW(), Lion(), Muon()] as [any UpdateRule])
  func threadsAndInterruptionsChangeNothing(rule: any UpdateRule) throws {
    let shape: Shape = rule.isElementwise ? [700, 150] : [24, 16]
    func train(_ threads: Int, stopping: Bool = false) throws -> (weights: [Float], state: [[Float]]) {
      Threads.count = threads
      let parameter = Parameter(path: "w", value: RandomStream(seed: 1).normal(shape), isTrainable: true)
      var optimizer = Optimizer(rule, parameters: [parameter], stateFormat: .bfloat16, seed: 5)
      for index in 0..<4 {
        if stopping, index == 2 {
          let held = Dictionary(optimizer.stateTensors.map { ($0.name, $0.tensor) }) { $1 }
          optimizer = Optimizer(rule, parameters: [parameter], stateFormat: .bfloat16, seed: 5)
          try optimizer.restore(stepCount: 2) { try #require(held[$0]) }
        }
        step(optimizer, parameter, gradient: RandomStream(seed: 2).split(index).normal(shape))
      }
      #expect(optimizer.stateTensors.allSatisfy { $0.tensor.dtype == .bfloat16 })
      return (parameter.value.values, optimizer.stateTensors.map(\.tensor.values))
    }
    let threads = Threads.count
    defer { Threads.count = threads }
    let one = try train(1)
    for count in [2, 3, 8] {
      let found = try train(count)
      #expect(found.weights == one.weights && found.state == one.state)
    }
    let resumed = try train(2, stopping: true)
    #expect(resumed.weights == one.weights && resumed.state == one.state)
  }
}
