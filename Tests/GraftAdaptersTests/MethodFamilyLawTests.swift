import GraftAdapters
import GraftBatching
import GraftCheckpoints
import GraftLayers
import GraftOptimizers
import GraftTensors
import GraftTestSupport
import Testing

/// The laws of every method on every kind of model.
@Suite struct MethodFamilyLawTests {
  private struct Subject {
    let model: any TrainableModel, delta: Delta, batch: Batch

    /// - Parameter isRandom: true where the delta's values are drawn anew, so that it changes something.
    init(_ example: FamilyMethod, _ family: TinyFamily, isRandom: Bool) throws {
      model = try family.build()
      batch = family.batch(for: model)
      delta = try Delta(example.method(), on: model.catalog)
      if isRandom { randomize(delta.parameters.map(\.parameter), deviation: 0.2) }
    }

    func loss(_ pass: Pass = .inference) -> Float { model.loss(batch, pass, scale: 1 / Float(batch.lossTermCount)).scalar }

    func differentiate(_ pass: Pass = Pass()) -> (loss: Float, gradients: Gradients) {
      let tape = Tape()
      let loss = tape.record { model.loss(batch, pass, scale: 1 / Float(batch.lossTermCount)) }
      return (loss.scalar, tape.gradients(of: loss))
    }
  }

  private static let pairs = TinyFamily.allCases.flatMap { family in FamilyMethod.all.map { ($0, family) } }
  private static let fitting = pairs.filter { !$0.0.misfits.contains($0.1) }

  @Test(arguments: pairs.filter { $0.0.misfits.contains($0.1) }) func `says where it has no place`(_ example: FamilyMethod, _ family: TinyFamily)
    throws
  {
    let model = try family.build()
    let batch = family.batch(for: model)
    let before = model.loss(batch, .inference, scale: 1).scalar
    #expect(throws: TuningError.self) { try Delta(example.method(), on: model.catalog) }
    #expect(model.loss(batch, .inference, scale: 1).scalar == before)
  }

  @Test(arguments: fitting) func `trains as many values as its formula says, learns, and comes off without a trace`(
    _ example: FamilyMethod, _ family: TinyFamily
  ) throws {
    let base = try family.build()
    let bytes = base.catalog.parameters.map(\.value.values)
    let before = base.loss(family.batch(for: base), .inference, scale: 1).scalar
    let subject = try Subject(example, family, isRandom: false)
    let delta = subject.delta
    let catalog = subject.model.catalog
    #expect(delta.parameterCount == example.count(catalog))
    #expect(delta.modules.contains { $0.parameterCount > 0 })

    let parameters = delta.parameters.map(\.parameter)
    let trained = Set(parameters.map(ObjectIdentifier.init))
    let optimizer = Optimizer(AdamW(), parameters: parameters)
    var (first, gradients) = subject.differentiate()
    for _ in 0..<30 {
      optimizer.step(gradients, learningRate: example.learningRate)
      gradients = subject.differentiate().gradients
    }
    #expect(subject.loss() < first - 5e-4)
    for (parameter, value) in zip(catalog.parameters, bytes) where !trained.contains(ObjectIdentifier(parameter)) {
      #expect(parameter.value.values == value && gradients[parameter] == nil, "\(parameter.path)")
    }
    delta.detach()
    #expect(subject.model.loss(subject.batch, .inference, scale: 1).scalar == before)
    #expect(zip(catalog.parameters, bytes).allSatisfy { $0.value.values == $1 })
  }

  @Test(arguments: fitting) func `is the same when read again, and wrong tensors are refused`(_ example: FamilyMethod, _ family: TinyFamily) throws {
    let subject = try Subject(example, family, isRandom: true)
    let stored = try subject.delta.stored(taskType: nil)
    let other = try family.build()
    let method = try MethodCatalog.decode(stored: stored.configuration, from: "stored")
    let again = try Delta(method, on: other.catalog, from: stored.weights(from: "stored"))
    #expect(other.loss(subject.batch, .inference, scale: 1 / Float(subject.batch.lossTermCount)).scalar == subject.loss())
    #expect(try again.stored(taskType: nil).contentSHA256 == stored.contentSHA256)
    again.detach()
    let all = stored.tensors + stored.reparam
    for tensors in [Array(stored.tensors.dropLast()), all + [StoredTensor(name: "base_model.model.more", tensor: .zeros([2]))]] {
      #expect(throws: (any Error).self) { try Delta(method, on: other.catalog, from: InMemoryWeights(name: "file", tensors)) }
    }
  }

  @Test(arguments: fitting) func `merged equals adapted, or is refused`(_ example: FamilyMethod, _ family: TinyFamily) throws {
    let subject = try Subject(example, family, isRandom: true)
    let adapted = subject.loss()
    guard subject.delta.method.isMergeable else {
      #expect(throws: TuningError.self) { try subject.delta.merge() }
      #expect(subject.loss() == adapted)
      return
    }
    try subject.delta.merge()
    #expect(abs(subject.loss() - adapted) < 2e-5 * max(1, adapted))
    subject.delta.unmerge()
    try subject.delta.attach()
    #expect(subject.loss() == adapted)
  }

  @Test(arguments: fitting) func `has the same gradients when blocks are computed again`(_ example: FamilyMethod, _ family: TinyFamily) throws {
    let subject = try Subject(example, family, isRandom: true)
    let pass = Pass(isTraining: true, random: RandomStream(seed: 4))
    let kept = subject.differentiate(pass)
    let recomputed = Execution(recomputation: true).run { subject.differentiate(pass) }
    #expect(recomputed.loss == kept.loss)
    #expect(subject.delta.parameters.contains { kept.gradients[$0.parameter]?.values.contains { $0 != 0 } == true })
    for (key, parameter) in subject.delta.parameters {
      let (found, expected) = (recomputed.gradients[parameter]?.values, kept.gradients[parameter]?.values)
      #expect((found == nil) == (expected == nil), "\(key)")
      #expect(largestDifference(found ?? [], expected ?? []) < 2e-5, "\(key)")
    }
  }

  @Test(arguments: fitting) func `has the gradient of its loss`(_ example: FamilyMethod, _ family: TinyFamily) throws {
    let subject = try Subject(example, family, isRandom: true)
    let parameters = subject.delta.parameters.map(\.parameter)
    let found = subject.differentiate().gradients
    let values = parameters.map(\.value)
    let gradients = parameters.map { found[$0] ?? .zeros($0.shape) }
    let length = gradients.reduce(0) { $0 + $1.sumOfSquares }.squareRoot()
    func loss(at step: Double) -> Double {
      for (parameter, (value, gradient)) in zip(parameters, zip(values, gradients)) { parameter.assign(value + Float(step / length) * gradient) }
      return Double(subject.loss())
    }
    // Richardson's extrapolation, as for the operations; short steps, since rectifiers have corners, and shorter ones where the loss is
    // steep: behind a norm, the smaller a row the more the loss bends.
    let step = 2e-3 / max(1, length / 2)
    let wide = (loss(at: 2 * step) - loss(at: -2 * step)) / (4 * step)
    let narrow = (loss(at: step) - loss(at: -step)) / (2 * step)
    let slope = (4 * narrow - wide) / 3
    #expect(!example.hasWholeGradient || abs(slope - length) < 1e-2 * length + 5e-4, "\(slope) for \(length)")
  }

  @Test(arguments: fitting) func `writes through a cache what it writes without`(_ example: FamilyMethod, _ family: TinyFamily) throws {
    let subject = try Subject(example, family, isRandom: true)
    let documents: [[Int32]] = [[3, 9, 1, 20, 11], [7, 0, 5, 2, 19]]
    let state = subject.model.makeState(sequences: 2)
    let run: (SequenceInput, Pass) -> Tensor
    if let model = subject.model as? any SequenceToSequenceModel {
      let source = model.encode(SequenceInput([[4, 8, 15], [16, 22, 1, 12]]), .inference)
      run = { model.decode($0, over: source, $1) }
    } else if family.task == .causalLM {
      run = { subject.model.hiddenStates($0, $1) }
    } else {
      return
    }
    let whole = run(SequenceInput(documents), .inference)
    var taken = 0
    for count in [2, 1, 2] {
      let parts = documents.map { Array($0[taken..<taken + count]) }
      let step = run(SequenceInput(parts, startingAt: state.lengths), Pass(state: state))
      state.advance(by: [count, count])
      let rows = (0..<2).flatMap { document in (taken..<taken + count).map { Int32(5 * document + $0) } }
      #expect(largestDifference(step.values, gatherRows(whole, Tensor(rows)).values) < 2e-5)
      taken += count
    }
  }
}
