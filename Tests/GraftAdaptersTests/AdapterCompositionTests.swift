import Foundation
import GraftAdapters
import GraftBatching
import GraftCheckpoints
import GraftJSON
import GraftLayers
import GraftModels
import GraftTensors
import GraftTestSupport
import Testing

/// Compositions of two trained adapters, against what AdapterHub's library computes; see `Scripts/make-adapterhub-goldens.py`.
@Suite struct AdapterCompositionTests {
  private static let first: [Int32] = [3, 17, 5, 11, 8, 2, 22]
  private let fixture: LlamaFixture
  private let folder: TemporaryDirectory

  init() throws {
    (fixture, folder) = (try LlamaFixture("adapterhub"), try TemporaryDirectory())
    for name in ["a", "b"] {
      let tensors = try fixture.tensors(under: "compositions/tensors/").filter { $0.name.contains(".adapters.\(name).") }
      try FileManager.default.createDirectory(atPath: folder.file(name), withIntermediateDirectories: true)
      try SafetensorsWriter.write(tensors.map { (name: $0.name, tensor: $0.tensor) }, metadata: [:], to: folder.file("\(name)/adapter.safetensors"))
      let configuration: JSON = ["config": ["reduction_factor": 4, "mh_adapter": true], "name": .string(name), "version": "adapters.1.2.0"]
      _ = try folder.write(configuration.serializedBytes(), to: "\(name)/adapter_config.json")
    }
  }

  private func base() throws -> any TrainableModel {
    let scope = Scope(source: InMemoryWeights(name: "base", try fixture.tensors(under: "bert/base/")), catalog: SiteCatalog())
    let config = ArchitectureConfiguration(try #require(fixture.configurations["lora"]?["model"]), source: "base")
    return try #require(try ModelFamily.build(ModelRequest(config, task: .maskedLM), in: scope) as? any TrainableModel)
  }

  private func method(_ kind: String, _ more: String = "") throws -> any TuningMethod {
    let adapters = ["a", "b"].map { #"{"name": "\#($0)", "path": "\#(folder.file($0))"}"# }.joined(separator: ", ")
    let text = #"{"peft_type": "ADAPTER_COMPOSITION", "composition": "\#(kind)", "adapters": [\#(adapters)]\#(more)}"#
    return try MethodCatalog.decode(stored: try JSON(parsing: text), from: kind)
  }

  static let kinds = [("fuse", ""), ("stack", ""), ("average", #", "weights": [3, 7]"#), ("split", #", "splits": [3, 4]"#)]

  @Test(arguments: kinds) func `states are the library's`(_ kind: String, _ more: String) throws {
    let model = try base()
    let delta = try Delta(try method(kind, more), on: model.catalog)
    for (key, parameter) in delta.parameters { parameter.assign(try fixture.file.tensor("compositions/tensors/\(key)")) }
    #expect(delta.parameters.isEmpty == (kind != "fuse"))
    let states = model.hiddenStates(SequenceInput([Self.first]), .inference)
    #expect(largestDifference(states.values, try fixture.file.tensor("compositions/\(kind)").values) < 2e-4)
  }

  @Test func `a batch is split between adapters`() throws {
    let model = try base()
    _ = try Delta(try method("batch_split", #", "splits": [1, 1]"#), on: model.catalog)
    let states = model.hiddenStates(SequenceInput([Self.first, Self.first.reversed()]), .inference)
    #expect(largestDifference(states.values, try fixture.file.tensor("compositions/batch_split").values) < 2e-4)
  }

  @Test func `a fusion trains what fuses alone, is kept near the adapters, and is the same when read again`() throws {
    let model = try base()
    let delta = try Delta(try method("fuse"), on: model.catalog)
    let width = 8
    #expect(delta.parameterCount == 4 * (3 * width * width + 2 * width))
    #expect(delta.parameters.allSatisfy { $0.key.contains(".adapter_fusion_layer.a,b.") })
    randomize(delta.parameters.map(\.parameter), deviation: 0.3)
    let input = SequenceInput([Self.first])
    let tape = Tape()
    let states = tape.record { model.hiddenStates(input, .inference) }
    let gradients = tape.gradients(of: states, seed: Tensor(repeating: 1, shape: states.shape))
    for parameter in model.catalog.parameters { #expect(gradients[parameter] == nil, "\(parameter.path)") }
    #expect(try #require(delta.schedule?.penalty()).scalar > 0)

    let stored = try delta.stored(taskType: nil)
    let other = try base()
    let again = try MethodCatalog.decode(stored: stored.configuration, from: "stored")
    try FileManager.default.removeItem(atPath: folder.file("a"))
    _ = try Delta(again, on: other.catalog, from: stored.weights(from: "stored"))
    #expect(other.hiddenStates(input, .inference).values == states.values)
  }

  static let wrong = [
    ("fuse", #", "adapters": []"#, "adapters"), ("average", #", "weights": [1]"#, "weights"), ("split", "", "splits"),
    ("fuse", #", "dropout_prob": 1"#, "dropout_prob"),
  ]

  @Test(arguments: wrong) func `says what does not fit`(_ kind: String, _ more: String, _ key: String) throws {
    let model = try base()
    let before = model.hiddenStates(SequenceInput([Self.first]), .inference).values
    let text = #"{"peft_type": "ADAPTER_COMPOSITION", "composition": "\#(kind)"\#(more)}"#
    let method = key == "adapters" ? try MethodCatalog.decode(stored: try JSON(parsing: text), from: kind) : try method(kind, more)
    let error = #expect(throws: TuningError.self) { try Delta(method, on: model.catalog) }
    #expect(error?.description.hasPrefix(key) == true, "\(error?.description ?? "")")
    #expect(model.hiddenStates(SequenceInput([Self.first]), .inference).values == before)
  }
}
