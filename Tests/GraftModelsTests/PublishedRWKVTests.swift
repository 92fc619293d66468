import Foundation
import GraftBatching
import GraftCheckpoints
import GraftJSON
import GraftLayers
import GraftModels
import GraftTensors
import GraftTestSupport
import Testing

/// RWKVs as their authors publish them: one `.pth` file, which has no configuration.
@Suite struct PublishedRWKVTests {
  /// A tensor as the authors' own files call and shape it.
  private static func original(_ name: String, _ tensor: Tensor) -> (name: String, tensor: Tensor) {
    let names = [
      ("rwkv.", ""), ("model.layers", "blocks"), ("model.norm", "ln_out"), ("model.", ""), ("embeddings", "emb"), ("lm_head", "head"),
      ("pre_norm", "ln0"), ("pre_ln", "ln0"), ("attn_norm", "ln1"), ("ffn_norm", "ln2"), ("attn.g_norm", "att.ln_x"), ("attn.", "att."),
      ("attention.", "att."), ("feed_forward.", "ffn."), ("r_proj", "receptance"), ("k_proj", "key"), ("v_proj", "value"), ("o_proj", "output"),
      ("time_mix_key", "time_mix_k"), ("time_mix_value", "time_mix_v"), ("time_mix_receptance", "time_mix_r"),
      ("time_mix_gate", "time_mix_g"), ("_lora.lora.0.weight", "1"),
      ("_lora.lora.2.weight", "2"), ("_lora.lora.2.bias", "0"),
    ]
    let new = names.reduce(name) { $0.replacing($1.0, with: $1.1) }
    if name.contains(".lora."), tensor.shape.rank == 2 {
      let (rows, columns) = (tensor.shape[0], tensor.shape[1])
      let values = tensor.values
      return (new, Tensor((0..<rows * columns).map { values[$0 % rows * columns + $0 / rows] }, [columns, rows]))
    }
    let isVector = [".k_k", ".k_a", ".x_k", "0"].contains { new.hasSuffix($0) }
    return (new, isVector ? tensor.reshaped(to: [1, 1, tensor.elementCount]) : tensor)
  }

  /// The tensors of a fixture as the authors name them.
  private func tensors(_ fixture: String) throws -> [(name: String, tensor: Tensor)] {
    let source = SyntheticSource(try ModelFixture(fixture))
    return try source.tensorNames.map { Self.original($0, try source.tensor($0)) }
  }

  private func write(_ tensors: [(name: String, tensor: Tensor)], _ folder: TemporaryDirectory) throws -> String {
    try TorchArchive.write(tensors, root: "archive", to: folder.file("RWKV-tiny.pth"))
    return folder.url.path(percentEncoded: false)
  }

  @Test(
    arguments: [
      ("rwkv", ["layer_norm_epsilon": 1e-5, "rescale_every": 0]), ("rwkv5", ["layer_norm_epsilon": 1e-5, "head_size_divisor": 8]),
      ("rwkv6", ["layer_norm_epsilon": 1e-5, "head_size_divisor": 8]), ("rwkv7", ["norm_eps": 1e-5]),
    ] as [(String, JSON)])
  func `it computes what the same model of Transformers does`(_ name: String, _ changes: JSON) throws {
    let fixture = try ModelFixture(name)
    let folder = try TemporaryDirectory()
    // Some files hold a share of the first block's values in the first block, where nothing reads it.
    let unused = name == "rwkv7" ? ["0", "1", "2"].map { (name: "blocks.0.att.v\($0)", tensor: Tensor([1, 2], [1, 2])) } : []
    let directory = try ModelDirectory(try write(tensors(name) + unused, folder))
    let config = ArchitectureConfiguration((fixture.json["config"] ?? .null).setting(changes), source: "config.json")
    let known = try ModelFamily.build(ModelRequest(config), in: Scope(source: SyntheticSource(fixture), catalog: SiteCatalog()))
    let batch = fixture.batch(for: known)
    let found = try #require(directory.model as? any LanguageModel).predictions(batch).map(\.logProbability)
    #expect(found == (try #require(known as? any LanguageModel).predictions(batch).map(\.logProbability)))
    #expect(directory.model.catalog.parameters.map(\.path) == known.catalog.parameters.map(\.path))
    #expect(Set(directory.checkpoint.tensorNames) == Set(SyntheticSource(fixture).tensorNames))
    #expect(directory.endOfSequenceIDs == [0])
    for description in directory.checkpoint.descriptions {
      #expect(directory.checkpoint.withBytes(of: description.name) { $0.count } == description.byteCount)
    }
  }

  @Test func `a configuration beside it wins`() throws {
    let folder = try TemporaryDirectory()
    let path = try write(tensors("rwkv7"), folder)
    var configuration = try Checkpoint.configuration(in: path)
    configuration["eos_token_id"] = 5
    try folder.write(configuration.serializedBytes(), to: "config.json")
    #expect(try ModelDirectory(path).endOfSequenceIDs == [5])
  }

  @Test func `another version is named, and another model is none`() throws {
    let folder = try TemporaryDirectory()
    let six = try tensors("rwkv").map { (name: $0.name.replacing("time_first", with: "time_faaaa"), tensor: $0.tensor) }
    let path = try write(six, folder)
    #expect(
      complaint { _ = try ModelDirectory(path) }.contains("RWKV-tiny.pth: holds an RWKV of another version than 4, 5.2, 6 and 7; take one of these"))
    _ = try write([("weight", Tensor([1], [1]))], folder)
    #expect(complaint { _ = try Checkpoint(directory: path) }.contains("RWKV-tiny.pth is a PyTorch pickle"))
    _ = try write(tensors("rwkv7").filter { $0.name != "blocks.0.att.w1" }, folder)
    #expect(complaint { _ = try ModelDirectory(path) }.contains("RWKV-tiny.pth: lacks tensors of an RWKV"))
  }
}
