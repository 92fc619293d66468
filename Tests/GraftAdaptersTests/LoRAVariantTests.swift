import Foundation
import GraftAdapters
import GraftBatching
import GraftCheckpoints
import GraftJSON
import GraftLayers
import GraftOptimizers
import GraftTensors
import GraftTestSupport
import Testing

/// Results of PEFT's variants of LoRA, and of Uni-LoRA and RandLoRA, with adapters that it wrote; made by `Scripts/make-lora-variant-goldens.py`.
@Suite struct LoRAVariantGoldenTests {
  static let names = [
    "strong", "alora", "bdlora", "kasa", "velora", "velora-once", "velora-random", "mica",
    "orthogonal", "monteclora", "unilora", "unilora-kept", "randlora-drawn",
  ]
  static let compressing = names.filter { $0.hasPrefix("velora") }

  private let fixture: LlamaFixture

  init() throws { fixture = try LlamaFixture("lora-variants") }

  private func delta(_ name: String, on catalog: SiteCatalog) throws -> Delta {
    let method = try MethodCatalog.decode(stored: try #require(fixture.configurations[name]), from: name)
    return try Delta(method, on: catalog, from: InMemoryWeights(name: name, try fixture.tensors(under: "\(name)/tensors/")))
  }

  @Test(arguments: names) func `states and gradients are PEFT's`(_ name: String) throws {
    let model = try LlamaFixture.makeBase()
    let delta = try delta(name, on: model.catalog)
    let tape = Tape()
    let states = tape.record { model.hiddenStates(SequenceInput([[3, 17, 5, 31, 8, 2, 26]]), .inference) }
    #expect(largestDifference(states.values, try fixture.file.tensor("\(name)/states").values) < 2e-5)
    let gradients = tape.gradients(of: states, seed: Tensor((0..<states.elementCount).map { Float(sin(Double($0))) }, states.shape))
    let expected = try fixture.tensors(under: "\(name)/gradients/")
    #expect(Set(expected.map(\.name)) == Set(delta.parameters.map(\.key)))
    for (key, parameter) in delta.parameters {
      let reference = try #require(expected.first { $0.name == key }).tensor
      let difference = (try #require(gradients[parameter]) - reference).sumOfSquares.squareRoot()
      #expect(difference < 1e-4 * reference.sumOfSquares.squareRoot() + 1e-6, "\(key)")
    }
  }

  @Test(arguments: names) func `is written as it was read`(_ name: String) throws {
    let model = try LlamaFixture.makeBase()
    let stored = try delta(name, on: model.catalog).stored(taskType: nil)
    let expected = try fixture.tensors(under: "\(name)/tensors/")
    #expect(Set(stored.tensors.map(\.name)) == Set(expected.map(\.name)))
    for tensor in expected {
      let written = try #require(stored.tensors.first { $0.name == tensor.name }).tensor
      #expect(written.converted(to: .float32).values == tensor.tensor.values, "\(tensor.name)")
    }
    let configuration = try #require(fixture.configurations[name])
    for key in ["alora_invocation_tokens", "use_bdlora", "kasa_config", "velora_config", "monteclora_config", "init_lora_weights"]
    where configuration[key]?.isNull == false {
      #expect(stored.configuration[key] == configuration[key], "\(key)")
    }
  }

  private func losses(_ name: String, isTraining: Bool) throws -> [Float] {
    let model = try LlamaFixture.makeBase()
    let delta = try delta(name, on: model.catalog)
    let optimizer = Optimizer(AdamW(), parameters: delta.parameters.map(\.parameter))
    let batch = Batch(collating: [EncodedExample(tokens: [3, 17, 5, 31, 8, 2, 26])], objective: .nextToken)
    return (0..<5).map { _ in
      let tape = Tape()
      let loss = tape.record { model.loss(batch, Pass(isTraining: isTraining), scale: 1 / Float(batch.lossTermCount)) }
      optimizer.step(tape.gradients(of: loss), learningRate: 0.02)
      return loss.scalar
    }
  }

  @Test(arguments: names) func `five steps have PEFT's losses`(_ name: String) throws {
    #expect(largestDifference(try losses(name, isTraining: false), try fixture.file.tensor("\(name)/losses").values) < 1e-3)
  }

  @Test(arguments: compressing) func `five steps with compressed inputs have PEFT's losses`(_ name: String) throws {
    #expect(largestDifference(try losses(name, isTraining: true), try fixture.file.tensor("\(name)/training").values) < 1e-3)
  }

  @Test func `intruder dimensions are as many as PEFT finds`() throws {
    let model = try LlamaFixture.makeBase()
    let weights = model.catalog.parameters.map(\.value.values)
    let delta = try delta("strong", on: model.catalog)
    for (top, expected) in fixture.configurations["intruders"]?.object ?? [:] {
      let search = IntruderSearch(top: try #require(Int(top)), threshold: try #require(expected["threshold"]?.double))
      let found = delta.intruders(search)
      let counts = try #require(expected["counts"]?.object)
      #expect(found == Dictionary(uniqueKeysWithValues: counts.map { ($0.key, $0.value.int ?? -1) }))
      #expect(found.values.contains { $0 > 0 } && found.count == 8)
    }
    delta.detach()
    #expect(model.catalog.parameters.map(\.value.values) == weights)
  }

  @Test func `a text without the invocation keeps the base's answer`() throws {
    let model = try LlamaFixture.makeBase()
    let input = SequenceInput([[3, 17, 5, 31, 8, 2, 26]])
    let before = model.hiddenStates(input, .inference).values
    _ = try delta("alora-absent", on: model.catalog)
    #expect(model.hiddenStates(input, .inference).values == before)
    #expect(largestDifference(before, try fixture.file.tensor("alora-absent/states").values) < 2e-5)
  }
}

/// Laws of single variants.
@Suite struct LoRAVariantTests {
  private func attached(_ configuration: String, deviation: Float = 0.3) throws -> (model: any Model, delta: Delta) {
    let model = try makeTinyModel()
    let delta = try Delta(MethodCatalog.decode(stored: try JSON(parsing: configuration), from: "test"), on: model.catalog)
    if deviation > 0 { randomize(delta.parameters.map(\.parameter), deviation: deviation) }
    return (model, delta)
  }

  private static let activated = #"{"peft_type": "LORA", "r": 2, "target_modules": "all-linear", "alora_invocation_tokens": [17, 5]}"#

  @Test func `tokens before the invocation are the base's, those behind it are not`() throws {
    let plain = try makeTinyModel()
    let model = try attached(Self.activated).model
    let input = SequenceInput([[17, 5, 3, 17, 5, 31]])
    let (states, base) = (model.hiddenStates(input, .inference), plain.hiddenStates(input, .inference))
    // The last occurrence counts.
    #expect(largestDifference(states.rows(0..<3).values, base.rows(0..<3).values) < 1e-5)
    #expect((3..<6).allSatisfy { largestDifference(states.rows($0..<$0 + 1).values, base.rows($0..<$0 + 1).values) > 1e-3 })
  }

  /// One token a pass, with the invocation cut in two, a sequence taken twice, and tokens taken back.
  @Test func `a cache knows what it has read`() throws {
    let model = try attached(Self.activated).model
    let state = model.makeState(sequences: 1)
    func read(_ sequences: [[Int32]]) -> Tensor {
      defer { state.advance(by: sequences.map(\.count)) }
      return model.hiddenStates(SequenceInput(sequences, startingAt: state.lengths), Pass(state: state))
    }
    _ = read([[3, 17, 5]])
    let next = read([[31]])
    let whole = model.hiddenStates(SequenceInput([[3, 17, 5, 31, 8]]), .inference)
    #expect(largestDifference(next.values, whole.rows(3..<4).values) < 1e-5)
    state.select([0, 0])
    let both = read([[8], [8]])
    #expect(largestDifference(both.values, whole.rows(4..<5).values + whole.rows(4..<5).values) < 1e-5)
    #expect(state.truncate(to: 1))
    state.select([0])
    let other = read([[11, 4]])
    let without = model.hiddenStates(SequenceInput([[3, 11, 4]]), .inference)
    #expect(largestDifference(other.values, without.rows(1..<3).values) < 1e-5)
  }

  @Test func `KaSA's penalty is its own formula's`() throws {
    let configuration = #"{"peft_type": "LORA", "r": 2, "target_modules": ["q_proj"], "kasa_config": {"beta": 0.5, "gamma": 0.25}}"#
    let delta = try attached(configuration).delta
    let penalty = try #require(delta.schedule?.penalty()).scalar
    var expected = 0.0
    for layer in 0..<2 {
      func value(_ end: String) throws -> Tensor {
        try #require(delta.parameters.first { $0.key.contains("layers.\(layer).") && $0.key.hasSuffix(end) }).parameter.value
      }
      func distance(_ gram: Tensor) -> Double { (gram - Tensor([1, 0, 0, 1], [2, 2])).sumOfSquares.squareRoot() }
      let (a, b) = (try value("lora_A.weight"), try value("lora_B.weight"))
      let lengths = distance(matrixProduct(a, a, transposingSecond: true)) + distance(matrixProduct(b.transposed, b))
      expected += try 0.5 * value("lora_diag").sumOfSquares + 0.25 * lengths
    }
    #expect(abs(Double(penalty) - expected) < 1e-4 * expected)
  }

  /// `W x` for a vector that only the smallest singular values reach is nothing, and what the largest reach is as before.
  @Test func `KaSA leaves out the smallest singular values`() throws {
    let configuration = #"{"peft_type": "LORA", "r": 3, "target_modules": ["q_proj", "v_proj", "up_proj"], "kasa_config": {}}"#
    for name in ["self_attn.q_proj", "self_attn.v_proj", "mlp.up_proj"] {
      let (model, delta) = try attached(configuration, deviation: 0)
      let layer = try #require(model.catalog.linears.first { $0.path == "model.layers.1.\(name)" })
      let before = layer.weight.dense()
      for (key, parameter) in delta.parameters where key.hasSuffix("lora_B.weight") { parameter.assign(.zeros(parameter.shape)) }
      try delta.merge()
      let removed = before - layer.weight.dense()
      // The rest and what was removed share no direction, on either side, and the removed part has rank 3 and is smaller than any part of the rest.
      let size = before.sumOfSquares
      #expect(matrixProduct(removed.transposed, layer.weight.dense()).sumOfSquares < 1e-8 * size * size)
      #expect(matrixProduct(removed, layer.weight.dense(), transposingSecond: true).sumOfSquares < 1e-8 * size * size)
      #expect(removed.sumOfSquares > 0 && removed.sumOfSquares < 3 * size / Double(min(before.shape[0], before.shape[1])))
    }
  }

  @Test func `pooling over GPTQ's matrices is refused with its reason`() throws {
    let error = try #require(throws: (any Error).self) { try MethodCatalog.decode(recipe: ["peft_type": "LORA", "use_qalora": true]) }
    #expect("\(error)".contains("GPTQ"))
  }

  @Test func `MiCA's second factor is orthonormal and stays as it is`() throws {
    let delta = try attached(#"{"peft_type": "LORA", "r": 3, "target_modules": ["v_proj"], "init_lora_weights": "mica"}"#).delta
    #expect(delta.parameters.allSatisfy { $0.key.hasSuffix("lora_A.weight") })
    let stored = try delta.stored(taskType: nil)
    #expect(stored.configuration["init_lora_weights"]?.string == "mica")
    for tensor in stored.tensors where tensor.name.hasSuffix("lora_B.weight") {
      let gram = matrixProduct(tensor.tensor.transposed, tensor.tensor)
      #expect(largestDifference(gram.values, [1, 0, 0, 0, 1, 0, 0, 0, 1]) < 1e-5)
    }
  }
}
