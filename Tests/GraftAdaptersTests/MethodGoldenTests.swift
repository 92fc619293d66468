import Foundation
import GraftAdapters
import GraftBatching
import GraftCheckpoints
import GraftJSON
import GraftLayers
import GraftModels
import GraftOptimizers
import GraftTensors
import GraftTestSupport
import Testing

/// Results of PEFT with adapters that it wrote, in both directions; made by `Scripts/make-method-goldens.py`.
@Suite struct MethodGoldenTests {
  static let names =
    [
      "adalora", "adaption", "dora", "ia3", "loha", "lokr", "lora", "lora-embedding", "lora-tokens", "norms", "oft", "oft-exact", "olora", "p-tuning",
      "p-tuning-lstm",
      "pissa", "prefix", "prompt", "multitask-prompt", "cartridge", "tokens", "vblora", "vblora-topk", "vera",
    ] + learning
  /// Methods whose file has losses of a few steps, too.
  static let learning = [
    "vera-drawn", "boft", "hra", "hra-orthogonal", "miss", "miss-bat", "miss-mini", "shira", "supertuning", "supertuning-found", "fourierft",
    "waveft",
    "waveft-db3",
    "waveft-direct", "c3a", "randlora", "randlora-sparse", "pvera", "pvera-drawn", "tinylora", "tinylora-drawn",
    "gralora", "hira", "delora", "glora", "glora-vector", "glora-constant", "road", "road-2", "road-4", "deft", "deft-qr", "deft-taken", "peanut",
    "lily", "beft",
  ]

  @Test(arguments: names) func `states and gradients are PEFT's`(_ name: String) throws {
    let fixture = try LlamaFixture("methods")
    let model = try LlamaFixture.makeBase()
    let method = try MethodCatalog.decode(stored: try #require(fixture.configurations[name]), from: name)
    let delta = try Delta(method, on: model.catalog, from: InMemoryWeights(name: name, try fixture.tensors(under: "\(name)/tensors/")))

    let tape = Tape()
    let input = SequenceInput([[3, 17, 5, 31, 8, 2, 26]])
    let states = tape.record { model.hiddenStates(input, .inference) }
    #expect(largestDifference(states.values, try fixture.file.tensor("\(name)/states").values) < 2e-5)
    let gradients = tape.gradients(of: states, seed: Tensor((0..<states.elementCount).map { Float(sin(Double($0))) }, states.shape))
    let expected = try fixture.tensors(under: "\(name)/gradients/")
    #expect(Set(expected.map(\.name)) == Set(delta.parameters.map(\.key)))
    for (key, parameter) in delta.parameters {
      let reference = try #require(expected.first { $0.name == key }).tensor
      let difference = (try #require(gradients[parameter]) - reference).sumOfSquares.squareRoot()
      #expect(difference < 2e-5 * reference.sumOfSquares.squareRoot() + 1e-6, "\(key)")
    }
  }

  @Test(arguments: ["p-tuning", "p-tuning-lstm"]) func `a network learns what PEFT's does`(_ name: String) throws {
    let fixture = try LlamaFixture("methods")
    let model = try LlamaFixture.makeBase()
    let method = try MethodCatalog.decode(stored: try #require(fixture.configurations[name]), from: name)
    let delta = try Delta(method, on: model.catalog, from: InMemoryWeights(name: name, try fixture.tensors(under: "\(name)/tensors/")))
    let optimizer = Optimizer(AdamW(), parameters: delta.parameters.map(\.parameter))
    let batch = Batch(collating: [EncodedExample(tokens: [3, 17, 5, 31, 8, 2, 26])], objective: .nextToken)
    for expected in try fixture.file.tensor("\(name)/losses").values {
      let tape = Tape()
      let loss = tape.record { model.loss(batch, Pass(), scale: 1 / Float(batch.lossTermCount)) }
      #expect(abs(loss.scalar - expected) < 2e-5)
      optimizer.step(tape.gradients(of: loss), learningRate: 0.02)
    }
    for (key, parameter) in delta.parameters {
      #expect(largestDifference(parameter.value.values, try fixture.file.tensor("\(name)/last/\(key)").values) < 2e-4, "\(key)")
    }
  }

  @Test(arguments: learning) func `five steps have PEFT's losses`(_ name: String) throws {
    let fixture = try LlamaFixture("methods")
    let model = try LlamaFixture.makeBase()
    let method = try MethodCatalog.decode(stored: try #require(fixture.configurations[name]), from: name)
    let delta = try Delta(method, on: model.catalog, from: InMemoryWeights(name: name, try fixture.tensors(under: "\(name)/tensors/")))
    let optimizer = Optimizer(AdamW(), parameters: delta.parameters.map(\.parameter))
    let batch = Batch(collating: [EncodedExample(tokens: [3, 17, 5, 31, 8, 2, 26])], objective: .nextToken)
    for expected in try fixture.file.tensor("\(name)/losses").values {
      let tape = Tape()
      let loss = tape.record { model.loss(batch, Pass(), scale: 1 / Float(batch.lossTermCount)) }
      #expect(abs(loss.scalar - expected) < 2e-4 * max(1, expected), "\(loss.scalar) for \(expected)")
      optimizer.step(tape.gradients(of: loss), learningRate: 0.02)
    }
  }
}
