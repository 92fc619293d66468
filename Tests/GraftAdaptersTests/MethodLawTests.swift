import GraftAdapters
import GraftBatching
import GraftCheckpoints
import GraftConfiguration
import GraftLayers
import GraftModels
import GraftOptimizers
import GraftTensors
import GraftTestSupport
import Testing

/// The laws of every method.
@Suite struct MethodLawTests {
  @Test(arguments: MethodCase.all) func `says whether it changes nothing at first`(_ example: MethodCase) throws {
    let model = try makeTinyModel()
    let before = model.states()
    _ = try Delta(example.method(), on: model.catalog)
    #expect((largestDifference(model.states(), before) < 2e-6) == example.startsAsIdentity)
  }

  @Test(arguments: MethodCase.all) func `trains as many values as its formula says`(_ example: MethodCase) throws {
    let model = try makeTinyModel()
    let delta = try Delta(example.method(), on: model.catalog)
    #expect(delta.parameterCount == (example.testDescription == "everything" ? model.catalog.parameterCount : example.count))
  }

  @Test(arguments: MethodCase.all) func `gives gradients to the delta alone, and all of it`(_ example: MethodCase) throws {
    let model = try makeTinyModel()
    let delta = try Delta(example.method(), on: model.catalog)
    randomize(delta.parameters.map(\.parameter), deviation: 0.3)
    let gradients = model.differentiate().gradients
    for (key, parameter) in delta.parameters {
      #expect(gradients[parameter].map { $0.sumOfSquares > 0 } == true, "\(key)")
    }
    let trained = Set(delta.parameters.map { ObjectIdentifier($0.parameter) })
    for parameter in model.catalog.parameters where !trained.contains(ObjectIdentifier(parameter)) {
      #expect(gradients[parameter] == nil && !parameter.isTrainable, "\(parameter.path)")
    }
  }

  @Test(arguments: MethodCase.all) func `learns, leaves the base's bytes alone and comes off without a trace`(_ example: MethodCase) throws {
    let model = try makeTinyModel()
    let before = model.states()
    let bytes = model.catalog.parameters.map(\.value.values)
    let delta = try Delta(example.method(), on: model.catalog)
    let parameters = delta.parameters.map(\.parameter)
    let trained = Set(parameters.map(ObjectIdentifier.init))
    let optimizer = Optimizer(AdamW(), parameters: parameters)
    var (first, gradients) = model.differentiate()
    var last = first
    for _ in 0..<20 {
      optimizer.step(gradients, learningRate: 0.01)
      (last, gradients) = model.differentiate()
    }
    #expect(last < first - 1e-3, "\(first) to \(last)")
    for (parameter, value) in zip(model.catalog.parameters, bytes) where !trained.contains(ObjectIdentifier(parameter)) {
      #expect(parameter.value.values == value, "\(parameter.path)")
    }
    delta.detach()
    #expect(model.states() == before)
    #expect(zip(model.catalog.parameters, bytes).allSatisfy { $0.value.values == $1 && !$0.isTrainable })
  }

  @Test(arguments: MethodCase.all) func `is the same when read again`(_ example: MethodCase) throws {
    let model = try makeTinyModel()
    let delta = try Delta(example.method(), on: model.catalog)
    randomize(delta.parameters.map(\.parameter), deviation: 0.2)
    let stored = try delta.stored(taskType: nil)
    let states = model.states()
    let other = try makeTinyModel()
    let method = try MethodCatalog.decode(stored: stored.configuration, from: "stored")
    let again = try Delta(method, on: other.catalog, from: stored.weights(from: "stored"))
    #expect(other.states() == states)
    #expect(try again.stored(taskType: nil).contentSHA256 == stored.contentSHA256)
    #expect(again.parameterCount == delta.parameterCount)
  }

  @Test(arguments: MethodCase.all) func `refuses tensors that are missing, too many or mis-shaped`(_ example: MethodCase) throws {
    let model = try makeTinyModel()
    let before = model.states()
    let method = try example.method()
    let delta = try Delta(method, on: model.catalog)
    let tensors = try delta.stored(taskType: nil).tensors
    delta.detach()
    func refuses(_ changed: [StoredTensor], _ what: String) {
      #expect(throws: (any Error).self, "\(what)") { try Delta(method, on: model.catalog, from: InMemoryWeights(name: "file", changed)) }
      #expect(model.states() == before)
    }
    let last = try #require(tensors.last)
    refuses(tensors.dropLast(), "without \(last.name)")
    refuses(tensors + [StoredTensor(name: last.name + ".old", tensor: last.tensor)], "with \(last.name).old")
    let longer = Tensor.zeros(Shape([last.tensor.shape[0] + 1] + last.tensor.shape.dimensions.dropFirst()))
    refuses(tensors.dropLast() + [StoredTensor(name: last.name, tensor: longer)], "with a longer \(last.name)")
  }

  @Test(arguments: MethodCase.all) func `merged equals adapted, or is refused`(_ example: MethodCase) throws {
    let model = try makeTinyModel()
    let method = try example.method()
    let delta = try Delta(method, on: model.catalog)
    randomize(delta.parameters.map(\.parameter), deviation: 0.2)
    let batch = tinyBatch()
    let adapted = model.states()
    let loss = model.loss(batch, .inference, scale: 1).scalar
    guard method.isMergeable else {
      #expect(throws: TuningError.self) { try delta.merge() }
      return
    }
    try delta.merge()
    #expect(largestDifference(model.states(), adapted) < 2e-5)
    #expect(abs(model.loss(batch, .inference, scale: 1).scalar - loss) < 1e-4 * loss)
    #expect(model.catalog.sites.allSatisfy { $0.linear?.adapter == nil && $0.embedding?.adapter == nil })
  }

  @Test(arguments: MethodCase.all) func `has the same gradients when blocks are computed again`(_ example: MethodCase) throws {
    let model = try makeTinyModel()
    let delta = try Delta(example.method(), on: model.catalog)
    randomize(delta.parameters.map(\.parameter), deviation: 0.2)
    let kept = model.differentiate()
    let recomputed = model.differentiate(recomputation: true)
    #expect(recomputed.loss == kept.loss)
    for (key, parameter) in delta.parameters {
      #expect(largestDifference(recomputed.gradients[parameter]?.values ?? [], kept.gradients[parameter]?.values ?? []) < 1e-5, "\(key)")
    }
  }

  @Test(arguments: MethodCase.tokenwise) func `sees through a cache what it sees at once`(_ example: MethodCase) throws {
    let model = try makeTinyModel()
    let delta = try Delta(example.method(), on: model.catalog)
    randomize(delta.parameters.map(\.parameter), deviation: 0.2)
    let state = model.makeState(sequences: 2)
    let first = model.hiddenStates(SequenceInput(tinySequences.map { Array($0.prefix(3)) }), Pass(state: state))
    state.advance(by: [3, 3])
    state.select([1, 0])
    let rest = [tinySequences[1], tinySequences[0]].map { Array($0.dropFirst(3)) }
    let second = model.hiddenStates(SequenceInput(rest, startingAt: state.lengths), Pass(state: state))
    let whole = model.hiddenStates(SequenceInput(tinySequences), .inference)
    #expect(largestDifference(first.rows(0..<3).values, whole.rows(0..<3).values) < 1e-5)
    #expect(largestDifference(second.rows(0..<2).values, whole.rows(10..<12).values) < 1e-5)
    #expect(largestDifference(second.rows(2..<6).values, whole.rows(3..<7).values) < 1e-5)
  }

  /// A prompt that sees itself does so behind virtual tokens and prefixes, too, and what follows it stays causal.
  @Test(arguments: MethodCase.tokenwise) func `lets prompts see themselves`(_ example: MethodCase) throws {
    let model = try makeTinyModel(style: .prefix)
    let delta = try Delta(example.method(), on: model.catalog)
    randomize(delta.parameters.map(\.parameter), deviation: 0.2)
    func states(_ sequence: [Int32]) -> Tensor {
      var input = SequenceInput([sequence])
      input.promptLengths = [3]
      return model.hiddenStates(input, .inference)
    }
    let whole = states([3, 17, 5, 31, 8])
    let prompt = states([3, 17, 6, 31, 8])
    let rest = states([3, 17, 5, 31, 9])
    #expect(largestDifference(whole.rows(0..<1).values, prompt.rows(0..<1).values) > 1e-4)
    #expect(whole.rows(0..<4).values == rest.rows(0..<4).values)

    let state = model.makeState(sequences: 1)
    var input = SequenceInput([[3, 17, 5]])
    input.promptLengths = [3]
    let first = model.hiddenStates(input, Pass(state: state))
    state.advance(by: [3])
    let second = model.hiddenStates(SequenceInput([[31, 8]], startingAt: state.lengths), Pass(state: state))
    #expect(largestDifference(first.values + second.values, whole.values) < 1e-5)
  }

  @Test(arguments: MethodCase.all) func `does over 16-bit weights what it does over the same in 32 bits`(_ example: MethodCase) throws {
    let narrow = try makeTinyModel()
    let wide = try makeTinyModel()
    for (parameter, other) in zip(narrow.catalog.parameters, wide.catalog.parameters) where parameter.shape.rank == 2 {
      parameter.assign(parameter.value.converted(to: .bfloat16))
      other.assign(parameter.value.converted(to: .float32))
    }
    let method = try example.method()
    let deltas = [try Delta(method, on: narrow.catalog), try Delta(method, on: wide.catalog)]
    for delta in deltas { randomize(delta.parameters.map(\.parameter), deviation: 0.2) }
    let loss = wide.differentiate().loss
    #expect(abs(narrow.differentiate().loss - loss) < 1e-2 * loss)
    #expect(largestDifference(narrow.states(), wide.states()) < 0.1)
    guard method.isMergeable else { return }
    let adapted = narrow.states()
    let type = narrow.catalog.parameters[0].value.dtype
    try deltas[0].merge()
    #expect(largestDifference(narrow.states(), adapted) < 0.1)
    #expect(example.testDescription == "everything" || narrow.catalog.parameters[0].value.dtype == type)
  }

  @Test func `cannot be put where another one is`() throws {
    let model = try makeTinyModel()
    _ = try Delta(LoRA(), on: model.catalog)
    let states = model.states()
    #expect(throws: TuningError.self) { try Delta(IA3(), on: model.catalog) }
    #expect(model.states() == states)
  }
}
