import Foundation
import GraftCheckpoints
import GraftJSON
import GraftLayers
import GraftModels
import GraftTensors
import GraftTestSupport
import Testing

/// A fixture of the scripts `make-method-goldens.py` and `make-adapter-goldens.py`.
struct LlamaFixture {
  let file: SafetensorsFile
  /// `adapter_config.json` by name.
  let configurations: JSON

  init(_ name: String) throws {
    let fixtures = Fixtures("GraftAdaptersTests")
    file = try SafetensorsFile(fixtures.path("\(name).safetensors"))
    configurations = try fixtures.json("\(name).json")
  }

  /// The tensors whose names start so, without that start.
  func tensors(under prefix: String) throws -> [StoredTensor] {
    try file.tensorNames.filter { $0.hasPrefix(prefix) }.map { StoredTensor(name: String($0.dropFirst(prefix.count)), tensor: try file.tensor($0)) }
  }

  /// The adapter of a name.
  func adapter(_ name: String) throws -> StoredAdapter {
    let configuration = configurations[name] ?? .null
    let type = configuration["peft_type"]?.string ?? ""
    return StoredAdapter(
      name: name, method: type.lowercased(), peftType: type, taskType: configuration["task_type"]?.string, configuration: configuration,
      tensors: try tensors(under: "\(name)/"))
  }

  /// The tiny Llama that all of them adapt.
  static func makeBase() throws -> CausalDecoder {
    let config: JSON = [
      "model_type": "llama", "vocab_size": 40, "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 4,
      "num_key_value_heads": 2, "head_dim": 4, "rms_norm_eps": 1e-5,
    ]
    let weights = InMemoryWeights(name: "base", try LlamaFixture("methods").tensors(under: "base/"))
    let request = ModelRequest(ArchitectureConfiguration(config, source: "base"))
    return try #require(try ModelFamily.build(request, in: Scope(source: weights, catalog: SiteCatalog())) as? CausalDecoder)
  }
}
