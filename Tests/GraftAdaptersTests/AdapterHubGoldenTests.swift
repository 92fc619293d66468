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

/// Results of AdapterHub's library with adapters that it saved, in both directions; made by `Scripts/make-adapterhub-goldens.py`.
@Suite struct AdapterHubGoldenTests {
  static let names = [
    "loreft", "loreft-tied", "noreft", "direft", "prefix", "prefix-flat", "lora", "unipelt", "mam", "inverse", "plus", "plus-gpt2",
    "post-add",
  ]

  /// A base with the library's adapter on it.
  private struct Subject {
    let fixture: LlamaFixture, description: JSON, name: String
    let model: any TrainableModel
    let delta: Delta
    private static let input = SequenceInput([[3, 17, 5, 11, 8, 2, 22]])

    /// - Parameter directory: where the adapter is; that of the library where nil.
    init(_ name: String, from directory: String? = nil) throws {
      self.name = name
      fixture = try LlamaFixture("adapterhub")
      description = try #require(fixture.configurations[name])
      let family = try #require(description["base"]?.string)
      let scope = Scope(source: InMemoryWeights(name: name, try fixture.tensors(under: "\(family)/base/")), catalog: SiteCatalog())
      let config = ArchitectureConfiguration(try #require(description["model"]), source: name)
      let request = ModelRequest(config, task: family == "bert" ? .maskedLM : .causalLM)
      model = try #require(try ModelFamily.build(request, in: scope) as? any TrainableModel)
      let folder = try TemporaryDirectory()
      let adapter = try AdapterFile.read(try directory ?? Self.write("tensors", of: name, fixture, description, to: folder)).adapter()
      let method = try MethodCatalog.decode(stored: adapter.configuration, from: name)
      delta = try Delta(method, on: model.catalog, from: adapter.weights(from: name))
    }

    /// A directory as the library writes it, of some of the fixture's tensors.
    static func write(_ part: String, of name: String, _ fixture: LlamaFixture, _ description: JSON, to folder: TemporaryDirectory) throws -> String {
      let tensors = try fixture.tensors(under: "\(name)/\(part)/").map { (name: $0.name, tensor: $0.tensor) }
      try SafetensorsWriter.write(tensors, metadata: [:], to: folder.file("adapter.safetensors"))
      _ = try folder.write(try #require(description["adapter"]).serializedBytes(), to: "adapter_config.json")
      return folder.path
    }

    /// The last states, and the gradients of their sum with element k weighted by sin k.
    func differentiate(scale: Double = 1) -> (states: Tensor, weights: Tensor, gradients: Gradients) {
      let tape = Tape()
      let states = tape.record { model.hiddenStates(Self.input, .inference) }
      let weights = Tensor((0..<states.elementCount).map { Float(scale * sin(Double($0))) }, states.shape)
      return (states, weights, tape.gradients(of: states, seed: weights))
    }
  }

  @Test(arguments: names) func `states and gradients are the library's`(_ name: String) throws {
    let subject = try Subject(name)
    let (states, _, gradients) = subject.differentiate()
    #expect(largestDifference(states.values, try subject.fixture.file.tensor("\(name)/states").values) < 2e-4)
    let folder = try TemporaryDirectory()
    let directory = try Subject.write("gradients", of: name, subject.fixture, subject.description, to: folder)
    let expected = try AdapterFile.read(directory).adapter().tensors
    // Turned by the library's fixed matrix, the values of orthonormal rows are others, and so are their gradients.
    let isTurned = name == "loreft"
    for (key, parameter) in subject.delta.parameters where !(isTurned && key.hasSuffix("original")) {
      let reference = try #require(expected.first { $0.name == key }, "\(key)").tensor
      let difference = (try #require(gradients[parameter]) - reference).sumOfSquares.squareRoot()
      #expect(difference < 1e-4 * reference.sumOfSquares.squareRoot() + 1e-5, "\(key): \(difference)")
    }
    #expect(Set(expected.map(\.name)).isSuperset(of: subject.delta.parameters.map(\.key)))
  }

  @Test(arguments: names.filter { $0 != "loreft" }) func `five steps have the library's losses`(_ name: String) throws {
    let subject = try Subject(name)
    let optimizer = Optimizer(AdamW(), parameters: subject.delta.parameters.map(\.parameter))
    for expected in try subject.fixture.file.tensor("\(name)/losses").values {
      let count = Double(7 * 8)
      let (states, weights, gradients) = subject.differentiate(scale: 1 / count)
      let loss = sum(states * weights).scalar
      #expect(abs(loss - expected) < 1e-3 * max(1, abs(expected)), "\(loss) for \(expected)")
      optimizer.step(gradients, learningRate: 0.02)
    }
  }

  @Test(arguments: ["prefix", "mam"]) func `a prefix is the same before tokens that a cache keeps`(_ name: String) throws {
    let subject = try Subject(name)
    let tokens: [Int32] = [3, 17, 5, 11, 8, 2, 22]
    let state = subject.model.makeState(sequences: 1)
    let first = subject.model.hiddenStates(SequenceInput([Array(tokens.prefix(4))]), Pass(state: state))
    state.advance(by: [4])
    let rest = subject.model.hiddenStates(SequenceInput([Array(tokens.dropFirst(4))], startingAt: state.lengths), Pass(state: state))
    #expect(largestDifference(first.values + rest.values, try subject.fixture.file.tensor("\(name)/states").values) < 2e-4)
  }

  /// The gates of a prefix are means over the tokens that are computed together, here all of them.
  @Test func `a gated prefix takes its share in a cache, too`() throws {
    let text = #"{"peft_type": "HUB_PREFIX", "prefix_length": 3, "bottleneck_size": 5, "use_gating": true, "shared_gating": false}"#
    let model = try TinyFamily.gpt2.build()
    let delta = try Delta(try MethodCatalog.decode(stored: try JSON(parsing: text), from: "test"), on: model.catalog)
    randomize(delta.parameters.map(\.parameter), deviation: 0.4)
    let input = SequenceInput([[3, 9, 1, 20], [7, 0]])
    let kept = model.hiddenStates(input, Pass(state: model.makeState(sequences: 2)))
    let whole = model.hiddenStates(input, .inference)
    #expect(largestDifference(kept.values, whole.values) < 1e-5)
    delta.detach()
    #expect(largestDifference(model.hiddenStates(input, .inference).values, whole.values) > 1e-3)
  }

  @Test(arguments: names) func `what is exported has the library's names, and computes the same when it is read`(_ name: String) throws {
    let subject = try Subject(name)
    let states = subject.differentiate().states
    let folder = try TemporaryDirectory()
    let method = try #require(subject.delta.method as? any AdapterHubMethod)
    try AdapterHubDirectory.write(
      try subject.delta.stored(taskType: nil), method: try method.adapterHubConfiguration(), base: nil, name: "ad", to: folder.file("out"))
    let written = try SafetensorsFile(folder.file("out/adapter.safetensors")).tensorNames
    #expect(Set(written) == Set(try subject.fixture.tensors(under: "\(name)/tensors/").map(\.name)))
    let json = try JSON(parsing: String(contentsOfFile: folder.file("out/adapter_config.json"), encoding: .utf8))
    let own = try #require(subject.description["adapter"]?["config"]?.object)
    for (key, value) in own where key != "configs" {
      let found = json["config"]?[key]
      let isSame = found == value || found?.double == value.double && value.double != nil
      #expect(isSame, "\(key): \(found?.serialized() ?? "") for \(value.serialized())")
    }
    #expect(json["config"]?["configs"]?.array?.count == own["configs"]?.array?.count)
    let again = try Subject(name, from: folder.file("out"))
    #expect(largestDifference(again.differentiate().states.values, states.values) < 1e-5)
  }
}
