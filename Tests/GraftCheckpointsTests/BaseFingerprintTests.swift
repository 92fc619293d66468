import Foundation
import GraftCheckpoints
import GraftTestSupport
import Testing

@Suite("Base fingerprints")
struct BaseFingerprintTests {
  @Test(
    "the hash is that of Python's hashlib over the same lines, however the model is sharded",
    arguments: ["single", "sharded"])
  func weightsHash(folder: String) throws {
    let fingerprint = try BaseFingerprint(of: Checkpoint(directory: fixture(folder)), keys: .standard)
    #expect(fingerprint.weightsSHA256 == (try CheckpointTests.golden()["weights_sha256"]?.string))
    #expect(fingerprint.name == fixture(folder) && fingerprint.revision == nil)
    #expect(fingerprint.modelType == "llama")
    #expect(fingerprint.architecture == "LlamaForCausalLM")
    #expect((fingerprint.hiddenSize, fingerprint.layerCount, fingerprint.vocabularySize) == (8, 1, 11))
    #expect(fingerprint.tokenizerSHA256 == nil)
  }

  @Test("the tokenizer's hash is that of its vocabulary, whatever file holds it", arguments: ["tokenizer.json", "rwkv_vocab_v20230424.txt"])
  func tokenizerHash(name: String) throws {
    let folder = try TemporaryDirectory(copying: URL(fileURLWithPath: fixture("single")))
    try folder.write("1 'a' 1".utf8, to: name)
    let fingerprint = try BaseFingerprint(of: Checkpoint(directory: folder.path), keys: .standard)
    #expect(fingerprint.tokenizerSHA256 == "b7b3aad5a8be327b569a66dbcc36673825327b2a834090481ce9f07c6f55b5dc")
  }

  @Test("sizes are read by the family's keys, and by the standard ones")
  func keys() {
    let keys = DimensionKeys(hiddenSize: "n_embd", layers: "n_layer", heads: "n_head")
    let gpt2 = BaseFingerprint(configuration: ["model_type": "gpt2", "n_embd": 16, "n_layer": 2, "vocab_size": 50], keys: keys)
    #expect((gpt2.hiddenSize, gpt2.layerCount, gpt2.vocabularySize) == (16, 2, 50))
    let nested = BaseFingerprint(configuration: ["text_config": ["hidden_size": 4, "num_hidden_layers": 1]], keys: keys)
    #expect((nested.hiddenSize, nested.layerCount, nested.vocabularySize) == (4, 1, nil))
  }

  @Test("a mismatch lists what differs, and only that")
  func mismatch() throws {
    let base = try BaseFingerprint(of: Checkpoint(directory: fixture("single")), keys: .standard)
    var other = base
    other.name = "another"
    #expect(base.differences(from: other).isEmpty)
    #expect(throws: Never.self) { try base.verify(other, for: "a.h5") }
    other.tokenizerSHA256 = "abc"
    #expect(base.differences(from: other).isEmpty)
    other.hiddenSize = 16
    other.weightsSHA256 = String(repeating: "0", count: 64)
    expectError(
      .mismatchedBase,
      "a.h5: was trained on another base model ('\(fixture("single"))'): the model at hand has hidden size 16 instead of 8, weights' SHA-256 000000000000..."
    ) {
      try base.verify(other, for: "a.h5")
    }
  }

  @Test("the name is where others find the model: a hub's repository, or the full path")
  func origin() throws {
    let folder = try TemporaryDirectory()
    let snapshot = "hub/models--someone--a-model/snapshots/0123abc"
    for name in ["config.json", "model.safetensors"] { _ = try folder.write(bytes(of: fixture("single/\(name)")), to: "\(snapshot)/\(name)") }
    let cached = try BaseFingerprint(of: Checkpoint(directory: folder.file(snapshot)), keys: .standard)
    #expect(cached.name == "someone/a-model" && cached.revision == "0123abc")
    let relative = try BaseFingerprint(
      of: Checkpoint(directory: folder.file("hub/../\(snapshot)/../../../models--someone--a-model/snapshots/0123abc/")), keys: .standard)
    #expect(relative.name == "someone/a-model")
  }
}
