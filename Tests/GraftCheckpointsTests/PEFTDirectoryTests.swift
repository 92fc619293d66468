import Foundation
import GraftCheckpoints
import GraftJSON
import GraftTensors
import GraftTestSupport
import Testing

@Suite("PEFT directories")
struct PEFTDirectoryTests {
  @Test("reads what PEFT writes")
  func reads() throws {
    let adapter = try AdapterFile.read(fixture("peft") + "/").adapter()
    #expect(adapter.name == "default")
    #expect(adapter.method == "lora")
    #expect(adapter.peftType == "LORA")
    #expect(adapter.taskType == "CAUSAL_LM")
    #expect(adapter.configuration["use_dora"] == true)
    #expect(adapter.configuration.object?.keys.first == "alora_invocation_tokens")
    let prefix = "base_model.model.model.layers.0.self_attn.q_proj"
    #expect(
      Set(adapter.tensors.map(\.name)) == [
        "\(prefix).lora_A.weight", "\(prefix).lora_B.weight", "\(prefix).lora_magnitude_vector",
      ])
    #expect(Set(adapter.tensors.map(\.role)) == ["lora_A", "lora_B", "lora_magnitude_vector"])
    #expect(adapter.tensors.first { $0.role == "lora_B" }?.tensor.shape == [8, 2])
    #expect(PEFTDirectory.descriptiveKeys.contains("peft_version"))
    #expect(!PEFTDirectory.descriptiveKeys.contains("r"))
  }

  @Test("PEFT to HDF5 and back gives the same bytes")
  func losslessConversion() throws {
    let folder = try TemporaryDirectory()
    let original = try PEFTDirectory.read(fixture("peft"))
    try AdapterArchive.write(original, to: folder.file("adapter.h5"))
    let stored = try AdapterFile.read(folder.path).adapter()
    #expect(stored.contentSHA256 == original.adapters[0].contentSHA256)
    try PEFTDirectory.write(stored, to: folder.file("a/b"))
    #expect(
      try bytes(of: folder.file("a/b/adapter_model.safetensors"))
        == bytes(of: fixture("peft/adapter_model.safetensors")))
    #expect(try bytes(of: folder.file("a/b/adapter_config.json")) == bytes(of: fixture("peft/adapter_config.json")))
    try PEFTDirectory.write(stored, to: folder.file("a/b"), replacing: PEFTDirectory.replaceable)
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.file("a")) == ["b"])
  }

  @Test("an exported configuration is ready for inference, sorted, and names its type and base")
  func configuration() throws {
    let folder = try TemporaryDirectory()
    var adapter = StoredAdapter(
      method: "lora", peftType: "LORA", taskType: "SEQ_CLS",
      configuration: ["r": 2, "inference_mode": false, "runtime_config": [:]],
      tensors: [StoredTensor(name: "x.lora_A.weight", tensor: Tensor([1], [1, 1]))])
    adapter.head = [StoredTensor(name: "base_model.model.classifier.weight", tensor: Tensor([2], [1]))]
    try PEFTDirectory.write(adapter, baseModelName: "base", to: folder.file("out"))
    #expect(
      String(decoding: try bytes(of: folder.file("out/adapter_config.json")), as: UTF8.self) == """
        {
          "base_model_name_or_path": "base",
          "inference_mode": true,
          "peft_type": "LORA",
          "r": 2,
          "task_type": "SEQ_CLS"
        }
        """)
    let weights = try SafetensorsFile(folder.file("out/adapter_model.safetensors"))
    #expect(weights.metadata == ["format": "pt"])
    #expect(weights.tensorNames == ["base_model.model.classifier.weight", "x.lora_A.weight"])
  }

  @Test("older spellings and special roles")
  func spellings() throws {
    let folder = try TemporaryDirectory()
    _ = try folder.write("{\"peft_type\": \"PREFIX_TUNING\", \"unknown\": NaN}".utf8, to: "adapter_config.json")
    try SafetensorsWriter.write(
      [("prompt_embeddings", Tensor([1], [1, 1])), ("q.lora_magnitude_vector.weight", Tensor([1], [1]))], metadata: [:],
      to: folder.file("adapter_model.safetensors"))
    let adapter = try PEFTDirectory.read(folder.path).adapter()
    #expect(adapter.tensors.map(\.name) == ["prompt_embeddings", "q.lora_magnitude_vector"])
    #expect(adapter.tensors.map(\.role) == ["prefix_kv", "lora_magnitude_vector"])
    #expect(adapter.taskType == nil)
  }

  @Test("what is missing is named")
  func errors() throws {
    let folder = try TemporaryDirectory()
    expectError(.missing, "holds no adapter") { try AdapterFile.read(folder.path) }
    expectError(.missing, "is a whole model") { try AdapterFile.read(fixture("single")) }
    expectError(.missing, "no such file") { try AdapterFile.read(folder.file("none")) }
    expectError(.missing, "name the directory") { try AdapterFile.read(fixture("peft/adapter_model.safetensors")) }
    expectError(.missing, "name \(fixture("peft"))") {
      try PEFTDirectory.read(URL(fileURLWithPath: fixture("peft")).deletingLastPathComponent().path)
    }
    _ = try folder.write("{\"r\": 1}".utf8, to: "adapter_config.json")
    expectError(.malformed, "peft_type") { try AdapterFile.read(folder.path) }
    _ = try folder.write("{\"peft_type\": \"LORA\"}".utf8, to: "adapter_config.json")
    expectError(.missing, "adapter_model.safetensors") { try AdapterFile.read(folder.path) }
    _ = try folder.write([0x80, 0x02], to: "adapter_model.bin")
    expectError(.unsupported, "bare pickle") { try AdapterFile.read(folder.path) }
  }
}
