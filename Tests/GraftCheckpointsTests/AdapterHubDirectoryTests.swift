import Foundation
import GraftCheckpoints
import GraftJSON
import GraftTensors
import GraftTestSupport
import Testing

/// Directories that AdapterHub's library wrote; see Scripts/check-adapterhub.py.
@Suite("AdapterHub directories")
struct AdapterHubDirectoryTests {
  @Test("reads what the library writes, in both forms", arguments: ["double_seq_bn", "compacter"])
  func reads(name: String) throws {
    let file = try AdapterFile.read(fixture("adapterhub/\(name)-safetensors"))
    let adapter = try file.adapter()
    let pickled = try AdapterFile.read(fixture("adapterhub/\(name)-bin")).adapter()
    #expect(adapter.peftType == "ADAPTER")
    #expect(file.base?.modelType == "bert" && file.base?.hiddenSize == 8)
    #expect(adapter.configuration["mh_adapter"] == true)
    #expect(adapter.configuration["original_ln_after"] == nil)
    let down = name == "compacter" ? "W_left" : "weight"
    let key = "bert.encoder.layer.0.attention.output.adapter_down.0.\(down)"
    let tensor = try #require(adapter.tensors.first { $0.name == key }).tensor
    #expect(tensor.values == (0..<tensor.elementCount).map { Float($0) / 8 })
    for stored in adapter.tensors {
      #expect(pickled.tensors.first { $0.name == stored.name }.map { bits($0.tensor) } == bits(stored.tensor), "\(stored.name)")
    }
    #expect(adapter.tensors.contains { $0.name == "bert.shared_parameters.phm_rule" } == (name == "compacter"))
    #expect(adapter.configuration["phm_dim"] == (name == "compacter" ? 2 : nil))
  }

  @Test("a head is a module that is saved")
  func readsHead() throws {
    let adapter = try AdapterFile.read(fixture("adapterhub/double_seq_bn-bin")).adapter()
    #expect(adapter.configuration["modules_to_save"] == ["classifier"])
    #expect(adapter.taskType == "SEQ_CLS")
    #expect(adapter.tensors.first { $0.name == "classifier.weight" }?.tensor.shape == [2, 8])
  }

  @Test("what is written is read back, with every key that the library writes", arguments: ["double_seq_bn", "compacter"])
  func roundTrip(name: String) throws {
    let folder = try TemporaryDirectory()
    let source = fixture("adapterhub/\(name)-bin")
    let file = try AdapterFile.read(source)
    let adapter = try file.adapter()
    try AdapterHubDirectory.write(
      adapter, method: adapter.configuration.without(["peft_type", "modules_to_save"]), base: file.base, name: "my.name", to: folder.file("out"))
    let written = try JSON(parsing: bytes(of: folder.file("out/adapter_config.json")))
    let original = try JSON(parsing: bytes(of: source + "/adapter_config.json"))
    let wanted = Set(original["config"]?.object?.keys ?? []).filter { name == "compacter" || !$0.contains("phm") }
    #expect(wanted.isSubset(of: written["config"]?.object?.keys ?? []))
    for key in wanted where key != "hypercomplex_nonlinearity" { #expect(written["config"]?[key] == original["config"]?[key], "\(key)") }
    #expect(Set(written.object?.keys ?? []) == Set(original.object?.keys ?? []))
    #expect(written["name"] == "my.name")
    for missing in ["adapter.safetensors", "pytorch_adapter.bin"] {
      let again = try AdapterFile.read(folder.file("out")).adapter()
      #expect(again.contentSHA256 == adapter.contentSHA256)
      #expect(again.configuration == adapter.configuration)
      try FileManager.default.removeItem(atPath: folder.file("out/\(missing)"))
    }
    expectError(.missing, "no adapter.safetensors or pytorch_adapter.bin") { try AdapterFile.read(folder.file("out")) }
  }

  static let refused: [(String, JSON, String)] = [
    ("another norm", ["ln_before": true], "ln_before is true"), ("another method", ["architecture": "mtl_lora"], "mtl_lora adapter"),
    ("vectors that scale", ["architecture": "lora", "composition_mode": "scale"], "composition_mode"),
    ("a mixture with another method", ["architecture": "union", "configs": [["architecture": "prompt_tuning"]]], "prompt_tuning adapter"),
    ("shared matrices", ["phm_layer": true, "shared_W_phm": true], "shared_W_phm"), ("cross-attention", ["cross_adapter": true], "cross_adapter"),
  ]

  @Test("refuses what is computed otherwise", arguments: refused.map(\.0))
  func refuses(name: String) throws {
    let (_, config, text) = try #require(Self.refused.first { $0.0 == name })
    let folder = try TemporaryDirectory()
    let json: JSON = ["config": config, "name": "ad", "version": "adapters.1.2.0"]
    _ = try folder.write(json.serializedBytes(), to: "adapter_config.json")
    expectError(.unsupported, text) { try AdapterFile.read(folder.path) }
  }

  @Test("older spellings are understood, and tensors of another adapter are not")
  func spellings() throws {
    let folder = try TemporaryDirectory()
    let place = "bert.encoder.layer.0.output.layer_text_task_adapters.ad.adapter_down.0.bias"
    try SafetensorsWriter.write([(place, Tensor([1], [1]))], to: folder.file("adapter.safetensors"))
    func configure(_ json: JSON) throws { _ = try folder.write(json.serializedBytes(), to: "adapter_config.json") }
    try configure(["config": ["non_linearity": "gelu", "phm_layer": false, "phm_dim": 3], "name": "ad"])
    let adapter = try AdapterFile.read(folder.path).adapter()
    #expect(adapter.tensors.map(\.name) == ["bert.encoder.layer.0.output.adapter_down.0.bias"])
    #expect(adapter.configuration == ["non_linearity": "gelu_new", "peft_type": "ADAPTER"])
    try configure(["config": "pfeiffer", "name": "ad"])
    #expect(try AdapterFile.read(folder.path).adapter().configuration["config"] == "seq_bn")
    try configure(["config": "seq_bn", "name": "other"])
    expectError(.malformed, "is no tensor of the adapter 'other'") { try AdapterFile.read(folder.path) }
    try configure(["config": "seq_bn"])
    expectError(.malformed, "has no name") { try AdapterFile.read(folder.path) }
    let adapterOfWholeModule = StoredAdapter(
      method: "adapter", peftType: "ADAPTER", configuration: [:], tensors: [StoredTensor(name: "bert.pooler.dense.weight", tensor: Tensor([1], [1]))])
    expectError(.unsupported, "has no place") { try AdapterHubDirectory.write(adapterOfWholeModule, method: [:], base: nil, to: folder.file("out")) }
  }
}

extension JSON {
  fileprivate func without(_ keys: [String]) -> JSON {
    var copy = self
    for key in keys { copy[key] = nil }
    return copy
  }
}
