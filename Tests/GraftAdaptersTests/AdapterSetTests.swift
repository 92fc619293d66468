import GraftAdapters
import GraftCheckpoints
import GraftLayers
import GraftModels
import GraftTensors
import GraftTestSupport
import Testing

/// Several adapters on one base: switched, mixed, folded in and taken off.
@Suite struct AdapterSetTests {
  private func lora(_ modules: [String], rank: Int = 2) -> LoRA {
    var method = LoRA()
    (method.r, method.targetModules) = (rank, .names(modules))
    return method
  }

  private func makeSet(on model: CausalDecoder) throws -> AdapterSet {
    let set = AdapterSet(on: model.catalog)
    var dora = lora(["q_proj"])
    dora.useDora = true
    try set.add("low rank", lora(["q_proj", "v_proj"]), seed: 1)
    try set.add("directions", dora, seed: 2)
    try set.add("scales", IA3(), seed: 3)
    try set.add("biases", BitFit(), seed: 4)
    var prompt = PromptTuning()
    prompt.numVirtualTokens = 2
    try set.add("prompt", prompt)
    for (index, name) in set.names.enumerated() {
      try set.activate(name)
      for (_, parameter) in try #require(set.delta(named: name)).parameters {
        parameter.assign(RandomStream(seed: UInt64(50 + index)).split(parameter.path).normal(parameter.shape, standardDeviation: 0.3))
      }
    }
    set.disable()
    return set
  }

  @Test func `each is what it is alone, and the base is untouched when none is on`() throws {
    let model = try makeTinyModel()
    let before = model.states()
    let bytes = model.catalog.parameters.map(\.value.values)
    let set = try makeSet(on: model)
    #expect(model.states() == before)
    var alone: [String: [Float]] = [:]
    for name in set.names {
      try set.activate(name)
      alone[name] = model.states()
      #expect(set.active.map(\.name) == [name] && model.states() != before, "\(name)")
    }
    for name in set.names.reversed() {
      try set.activate(name)
      #expect(model.states() == alone[name], "\(name)")
    }
    set.disable()
    #expect(model.states() == before && set.active.isEmpty)
    #expect(zip(model.catalog.parameters, bytes).allSatisfy { $0.value.values == $1 && !$0.isTrainable })
  }

  @Test func `merged equals mixed, and unmerging restores the base to the bit`() throws {
    let model = try makeTinyModel()
    let before = model.states()
    let bytes = model.catalog.parameters.map(\.value.values)
    let set = try makeSet(on: model)
    try set.activate([("low rank", 0.7), ("directions", -0.4), ("scales", 0.5), ("biases", 0.25)])
    let mixed = model.states()
    try set.merge()
    #expect(model.catalog.sites.allSatisfy { $0.linear?.adapter == nil })
    #expect(largestDifference(model.states(), mixed) < 2e-5)
    #expect(throws: TuningError.self) { try set.activate("scales") }
    set.unmerge()
    #expect(model.states() == mixed)
    set.disable()
    #expect(model.states() == before)
    #expect(zip(model.catalog.parameters, bytes).allSatisfy { $0.value.values == $1 })
  }

  @Test func `a mixture is linear in its weights`() throws {
    let model = try makeTinyModel()
    let layer = try #require(model.catalog.linears.first { $0.path.hasSuffix("0.self_attn.q_proj") })
    let x = RandomStream(seed: 9).normal([3, 16])
    let plain = layer(x, .inference)
    let set = try makeSet(on: model)
    func change(_ mixture: [(name: String, weight: Float)]) throws -> Tensor {
      try set.activate(mixture)
      return layer(x, .inference) - plain
    }
    let first = try change([("low rank", 1)])
    let second = try change([("directions", 1)])
    let both = try change([("low rank", 2), ("directions", -3)])
    #expect(largestDifference(both.values, (2 * first - 3 * second).values) < 1e-4)
    #expect(largestDifference(try change([("low rank", 0)]).values, [Float](repeating: 0, count: 48)) == 0)
  }

  @Test func `what cannot be added up is refused, and what is on stays on`() throws {
    let model = try makeTinyModel()
    let set = try makeSet(on: model)
    try set.activate("scales")
    let states = model.states()
    for mixture: [(name: String, weight: Float)] in [[("prompt", 0.5)], [("scales", 1), ("scales", 1)], [("scale", 1)]] {
      #expect(throws: TuningError.self) { try set.activate(mixture) }
      #expect(model.states() == states)
    }
    #expect(throws: TuningError.self) { try set.add("scales", IA3()) }
    try set.activate([("prompt", 1), ("scales", 1)])
    #expect(throws: TuningError.self) { try set.merge() }
    #expect(set.active.count == 2)
    try set.remove("scales")
    #expect(set.active.isEmpty && set.names == ["low rank", "directions", "biases", "prompt"])
  }

  @Test(arguments: MethodCase.all) func `a delta taken off and put on is the same`(_ example: MethodCase) throws {
    let model = try makeTinyModel()
    let before = model.states()
    let delta = try Delta(example.method(), on: model.catalog)
    randomize(delta.parameters.map(\.parameter), deviation: 0.2)
    let adapted = model.states()
    let stored = try delta.stored(taskType: nil).contentSHA256
    delta.detach()
    #expect(model.states() == before && !delta.isAttached)
    #expect(try delta.stored(taskType: nil).contentSHA256 == stored)
    try delta.attach()
    #expect(model.states() == adapted)
    guard delta.method.isMergeable else { return }
    try delta.merge()
    delta.unmerge()
    #expect(model.states() == before)
    try delta.attach()
    #expect(model.states() == adapted)
  }
}

/// LoRA adapters made into one; the references are PEFT's `add_weighted_adapter`.
@Suite struct LoRACombinationTests {
  private let weights: [Float] = [0.7, -0.4]

  private func parts(_ fixture: LlamaFixture) throws -> [(adapter: StoredAdapter, weight: Float)] {
    [(try fixture.adapter("a"), weights[0]), (try fixture.adapter("b"), weights[1])]
  }

  private func product(_ adapter: StoredAdapter, _ module: String) throws -> Tensor {
    let a = try #require(adapter.tensors.first { $0.name == module + ".lora_A.weight" }).tensor
    return matrixProduct(try #require(adapter.tensors.first { $0.name == module + ".lora_B.weight" }).tensor, a)
  }

  /// A kind, the settings with which PEFT made the fixture of that name, and the name.
  struct Case: CustomTestStringConvertible, Sendable {
    let kind: LoRACombination
    var settings = LoRACombinationSettings(seed: 3)
    let name: String
    var testDescription: String { name }

    init(_ kind: LoRACombination, rank: Int? = nil, density: Double? = nil, sign: MajoritySign = .total, name: String? = nil) {
      self.kind = kind
      (settings.rank, settings.density, settings.majoritySign) = (rank, density, sign)
      self.name = name ?? kind.rawValue
    }

    static let all = [
      Case(.linear), Case(.cat), Case(.svd, rank: 2), Case(.ties, density: 0.6),
      Case(.ties, density: 0.7, sign: .frequency, name: "ties-frequency"), Case(.tiesSvd, rank: 2, density: 0.4),
      Case(.dareLinear, density: 0.55), Case(.dareTies, density: 0.55), Case(.dareLinearSvd, density: 0.7),
      Case(.dareTiesSvd, rank: 2, density: 0.7), Case(.magnitudePrune, density: 0.3), Case(.magnitudePruneSvd, density: 0.5),
    ]
  }

  @Test func `every kind has its case`() { #expect(Set(Case.all.map(\.kind)) == Set(LoRACombination.allCases)) }

  @Test(arguments: Case.all) func `one adapter of two is PEFT's`(_ example: Case) throws {
    let fixture = try LlamaFixture("combinations")
    let expected = try fixture.adapter(example.name)
    let combined = try example.kind.combine(try parts(fixture), example.settings)
    #expect(Set(combined.tensors.map { "\($0.name) \($0.tensor.shape)" }) == Set(expected.tensors.map { "\($0.name) \($0.tensor.shape)" }))
    for tensor in expected.tensors where tensor.name.hasSuffix(".lora_A.weight") {
      let module = String(tensor.name.dropLast(".lora_A.weight".count))
      // A decomposition in float32 is another's up to some of its last bits.
      let limit: Float = example.kind.takesRank ? 1e-5 : 2e-6
      #expect(largestDifference(try product(combined, module).values, try product(expected, module).values) < limit, "\(module)")
      // The signs of singular vectors are free.
      guard !example.kind.takesRank else { continue }
      let factor = try #require(combined.tensors.first { $0.name == tensor.name }).tensor
      #expect(largestDifference(factor.values, tensor.tensor.values) < 1e-6, "\(tensor.name)")
    }
    for key in ["r", "lora_alpha"] { #expect(combined.configuration[key]?.double == expected.configuration[key]?.double) }
    func modules(_ adapter: StoredAdapter) throws -> Set<String> {
      let model = try LlamaFixture.makeBase()
      let method = try MethodCatalog.decode(stored: adapter.configuration, from: adapter.name)
      _ = try Delta(method, on: model.catalog, from: adapter.weights(from: adapter.name))
      return Set(model.catalog.linears.filter { $0.adapter != nil }.map(\.path))
    }
    #expect(try modules(combined) == modules(expected))
  }

  @Test func `side by side is the exact mixture`() throws {
    let fixture = try LlamaFixture("combinations")
    let model = try LlamaFixture.makeBase()
    let set = AdapterSet(on: model.catalog)
    for part in try parts(fixture) + [(try LoRACombination.cat.combine(try parts(fixture)), 1)] {
      let method = try MethodCatalog.decode(stored: part.adapter.configuration, from: part.adapter.name)
      try set.add(part.adapter.name, method, from: part.adapter.weights(from: part.adapter.name))
    }
    try set.activate([("a", weights[0]), ("b", weights[1])])
    let mixed = model.states()
    try set.activate("default")
    #expect(largestDifference(model.states(), mixed) < 2e-5)
  }

  @Test func `more rank than the sum has changes nothing`() throws {
    let fixture = try LlamaFixture("combinations")
    let module = "base_model.model.model.layers.0.self_attn.q_proj"
    let exact = try product(LoRACombination.cat.combine(try parts(fixture)), module)
    let wide = try LoRACombination.svd.combine(try parts(fixture), LoRACombinationSettings(rank: 9))
    #expect(wide.configuration["r"]?.int == 9)
    #expect(largestDifference(try product(wide, module).values, exact.values) < 1e-5)
  }

  @Test func `what is no pair of factors is refused`() throws {
    let fixture = try LlamaFixture("combinations")
    var odd = try fixture.adapter("a")
    odd.tensors.append(StoredTensor(name: "base_model.model.lm_head.weight", tensor: .zeros([40, 16])))
    #expect(throws: TuningError.self) { try LoRACombination.cat.combine([(odd, 1)]) }
    var other = try fixture.adapter("a")
    other.configuration = ["peft_type": "IA3"]
    #expect(throws: TuningError.self) { try LoRACombination.cat.combine([(other, 1)]) }
    let wide = try LoRACombination.cat.combine(try parts(fixture))
    #expect(throws: TuningError.self) { try LoRACombination.linear.combine([(wide, 1), (try fixture.adapter("a"), 1)]) }
    for density in [nil, 0, -0.5] {
      #expect(throws: TuningError.self) { try LoRACombination.ties.combine(try parts(fixture), LoRACombinationSettings(density: density)) }
    }
  }
}
