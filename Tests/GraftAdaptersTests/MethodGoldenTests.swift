import Foundation
import GraftAdapters
import GraftCheckpoints
import GraftJSON
import GraftLayers
import GraftModels
import GraftTensors
import Testing

/// What PEFT computes with adapters that it wrote, in both directions; made by `Scripts/make-method-goldens.py`.
@Suite struct MethodGoldenTests {
  static let names = [
    "adalora", "adaption", "dora", "ia3", "loha", "lokr", "lora", "lora-embedding", "norms", "oft", "oft-exact", "olora", "pissa", "prefix",
    "prompt", "tokens", "vera",
  ]
  private let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Fixtures")

  private func tensors(_ file: SafetensorsFile, under prefix: String) throws -> [StoredTensor] {
    try file.tensorNames.filter { $0.hasPrefix(prefix) }.map { StoredTensor(name: String($0.dropFirst(prefix.count)), tensor: try file.tensor($0)) }
  }

  @Test(arguments: names) func `states and gradients are PEFT's`(_ name: String) throws {
    let file = try SafetensorsFile(folder.appending(path: "methods.safetensors").path)
    let configurations = try JSON(parsing: Data(contentsOf: folder.appending(path: "methods.json")))
    let config: JSON = [
      "model_type": "llama", "vocab_size": 40, "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 4,
      "num_key_value_heads": 2, "head_dim": 4, "rms_norm_eps": 1e-5,
    ]
    let weights = InMemoryWeights(name: "base", try tensors(file, under: "base/"))
    let catalog = SiteCatalog()
    catalog.modelType = "llama"
    let model = try Llama(ArchitectureConfiguration(config, source: "base"), modelType: "llama", in: Scope(source: weights, catalog: catalog))
    let method = try MethodCatalog.decode(stored: try #require(configurations[name]), from: name)
    let delta = try Delta(method, on: catalog, from: InMemoryWeights(name: name, try tensors(file, under: "\(name)/tensors/")))

    let tape = Tape()
    let input = SequenceInput([[3, 17, 5, 31, 8, 2, 26]])
    let states = tape.record { model.hiddenStates(input, .inference) }
    #expect(largestDifference(states.values, try file.tensor("\(name)/states").values) < 2e-5)
    tape.backpropagate(from: states, seed: Tensor((0..<states.elementCount).map { Float(sin(Double($0))) }, states.shape))
    let expected = try tensors(file, under: "\(name)/gradients/")
    #expect(Set(expected.map(\.name)) == Set(delta.parameters.map(\.key)))
    for (key, parameter) in delta.parameters {
      let reference = try #require(expected.first { $0.name == key }).tensor
      let difference = (try #require(parameter.gradient) - reference).sumOfSquares.squareRoot()
      #expect(difference < 2e-5 * reference.sumOfSquares.squareRoot() + 1e-6, "\(key)")
    }
  }
}
