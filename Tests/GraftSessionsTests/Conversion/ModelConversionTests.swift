import Foundation
import GraftBatching
import GraftCheckpoints
import GraftJSON
import GraftLayers
import GraftModels
import GraftSessions
import GraftTensors
import GraftTestSupport
import Testing

/// Models from one form to another and back.
@Suite struct ModelConversionTests {
  private static let tokenizer: JSON = {
    let letters = "abcdefghijklmnopqrst".enumerated().map { (String($0.element), JSON.integer($0.offset)) }
    return [
      "version": "1.0", "added_tokens": [["id": 21, "content": "<e>", "special": true, "normalized": false]], "normalizer": .null,
      "pre_tokenizer": ["type": "ByteLevel", "add_prefix_space": false, "use_regex": true], "post_processor": .null,
      "decoder": ["type": "ByteLevel"],
      "model": ["type": "BPE", "vocab": .object(JSONObject(letters + [("ab", 20), ("<e>", 21)])), "merges": [["a", "b"]]],
    ]
  }()

  /// Writes a checkpoint of random weights with a tokenizer.
  private static func write(_ configuration: JSON, to path: String, as type: ElementFormat = .float32) throws {
    let request = ModelRequest(ArchitectureConfiguration(configuration, source: "tiny"))
    let catalog = try ModelFamily.build(request, in: Scope(source: nil, catalog: SiteCatalog(), seed: 3)).catalog
    let tensors = catalog.parameters.map { (name: $0.path, tensor: $0.dense().converted(to: type)) }
    let writer = ModelDirectoryWriter(directory: path)
    try writer.write(tensors.map { TensorDescription(name: $0.name, of: $0.tensor) }, configuration: configuration) { description in
      try #require(tensors.first { $0.name == description.name }).tensor
    }
    try Data(tokenizer.serialized().utf8).write(to: URL(fileURLWithPath: "\(path)/tokenizer.json"))
    try Data(#"{"eos_token": "<e>", "chat_template": "{{ messages[0].content }}"}"#.utf8)
      .write(to: URL(fileURLWithPath: "\(path)/tokenizer_config.json"))
  }

  private static func bytes(_ checkpoint: Checkpoint) -> [String: [UInt8]] {
    Dictionary(uniqueKeysWithValues: checkpoint.tensorNames.map { name in (name, checkpoint.withBytes(of: name) { [UInt8]($0) } ?? []) })
  }

  private static func states(_ path: String) throws -> [Float] {
    try ModelDirectory(path).model.hiddenStates(SequenceInput([[1, 5, 3, 20, 0, 7, 7]]), .inference).values
  }

  /// Every family that llama.cpp has: its tensors come back to the bit, and its configuration computes the same.
  @Test(arguments: [
    TinyConfiguration.llama, TinyConfiguration.llama.setting(["tie_word_embeddings": true, "attention_bias": true]), TinyConfiguration.mistral,
    TinyConfiguration.llama.setting([
      "rope_theta": 500_000.0, "head_dim": 8,
      "rope_scaling": [
        "rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 32,
      ],
    ]),
    TinyConfiguration.llama.setting(["rope_scaling": ["rope_type": "linear", "factor": 2.0]]), TinyConfiguration.qwen2, TinyConfiguration.qwen3,
    TinyConfiguration.gemma, TinyConfiguration.gemma2.setting(["query_pre_attn_scalar": 6]),
    TinyConfiguration.gemma3.setting(["query_pre_attn_scalar": 6, "sliding_window_pattern": 6]), TinyConfiguration.granite, TinyConfiguration.phi3,
    TinyConfiguration.glm, TinyConfiguration.glm4, TinyConfiguration.olmo2, TinyConfiguration.gpt2, TinyConfiguration.bloom,
  ])
  func familiesComeBackFromGGUF(configuration: JSON) throws {
    let folder = try TemporaryDirectory()
    let (origin, file, back) = (folder.file("origin"), folder.file("model.gguf"), folder.file("back"))
    try Self.write(configuration, to: origin)
    _ = try ModelConversion.write(origin, as: .gguf, to: file)
    let report = try ModelConversion.write(file, as: .safetensors, to: back)
    let (before, after) = (try Checkpoint(directory: origin), try Checkpoint(directory: back))
    #expect(report.tensors == before.tensorNames.count)
    #expect(Self.bytes(after) == Self.bytes(before))
    #expect(try after.configuration()["model_type"] == configuration["model_type"])
    #expect(try Self.states(back) == Self.states(origin))
    #expect(try readJSON("\(back)/tokenizer.json") == Self.tokenizer)
    let settings = try readJSON("\(back)/tokenizer_config.json")
    #expect(settings["eos_token"] == "<e>" && settings["chat_template"] == "{{ messages[0].content }}")
  }

  /// 16 bits come back as they were, though llama.cpp has vectors in 32; PyTorch's files, in shards too, hold the same bits.
  @Test(arguments: [ElementFormat.bfloat16, .float16]) func sixteenBitsAreKept(type: ElementFormat) throws {
    let folder = try TemporaryDirectory()
    let origin = folder.file("origin")
    try Self.write(TinyConfiguration.llama, to: origin, as: type)
    let bits = Self.bytes(try Checkpoint(directory: origin))
    _ = try ModelConversion.write(origin, as: .pytorch, to: folder.file("pickled"), shardBytes: 1500)
    #expect(try Checkpoint(directory: folder.file("pickled")).files.count > 2)
    _ = try ModelConversion.write(folder.file("pickled"), as: .gguf, to: folder.file("model.gguf"))
    _ = try ModelConversion.write(folder.file("model.gguf"), as: .pytorch, to: folder.file("again"))
    _ = try ModelConversion.write(folder.file("again"), as: .safetensors, to: folder.file("back"))
    for name in ["pickled", "again", "back"] { #expect(Self.bytes(try Checkpoint(directory: folder.file(name))) == bits, "\(name)") }
    let narrowed = try ModelConversion.write(origin, as: .safetensors, to: folder.file("wide"), dtype: .float32)
    #expect(narrowed.tensors == bits.count)
    let wide = try Checkpoint(directory: folder.file("wide"))
    #expect(wide.descriptions.allSatisfy { $0.elementType == .float32 })
    #expect(try wide.configuration()["torch_dtype"] == "float32")
  }

  @Test func whatStandsThereIsNotReplaced() throws {
    let folder = try TemporaryDirectory()
    let origin = folder.file("origin")
    try Self.write(TinyConfiguration.llama, to: origin)
    try folder.write("mine".utf8, to: "taken/notes.txt")
    for output in [folder.file("taken"), origin] {
      let error = #expect(throws: CheckpointError.self) { _ = try ModelConversion.write(origin, as: .safetensors, to: output, overwrites: true) }
      #expect(error?.kind == .cannotCreate)
    }
    try folder.write("mine".utf8, to: "other.gguf")
    #expect(throws: CheckpointError.self) { _ = try ModelConversion.write(origin, as: .gguf, to: folder.file("other.gguf")) }
    #expect(folder.entries == ["origin", "other.gguf", "taken"])
  }

  @Test func whatCannotBeIsSaid() throws {
    let folder = try TemporaryDirectory()
    func failure(_ source: String, _ format: ModelConversion.Format = .safetensors, _ dtype: ElementFormat? = nil) -> String {
      complaint { _ = try ModelConversion.write(source, as: format, to: folder.file("out.gguf"), dtype: dtype) }
    }
    #expect(failure(folder.file("none")).contains("no such directory"))
    try folder.write("no model".utf8, to: "text.gguf")
    #expect(failure(folder.file("text.gguf")).contains("is no GGUF file"))
    try GGUFWriter.write(metadata: [("general.architecture", .string("whisper"))], [], to: folder.file("other.gguf")) { _ in Tensor([], [0]) }
    #expect(failure(folder.file("other.gguf")).contains("'whisper'"))
    try GGUFWriter.write(
      metadata: [("general.type", .string("adapter")), ("general.architecture", .string("llama"))], [], to: folder.file("lora.gguf")
    ) {
      _ in Tensor([], [0])
    }
    #expect(failure(folder.file("lora.gguf")).contains("holds no model"))
    let mixture = folder.file("mixture")
    try Self.write(TinyConfiguration.mixtral, to: mixture)
    #expect(failure(mixture, .gguf).contains("GGUF files are written for"))
    let large = folder.file("large")
    try Self.write(TinyConfiguration.llama, to: large)
    let checkpoint = try Checkpoint(directory: large)
    let grown = folder.file("grown")
    try ModelDirectoryWriter(directory: grown).write(checkpoint.descriptions, configuration: try checkpoint.configuration()) { description in
      1e6 * (try checkpoint.tensor(description.name))
    }
    #expect(failure(grown, .safetensors, .float16).contains("beyond the range of float16"))
    #expect(folder.entries == ["grown", "large", "lora.gguf", "mixture", "other.gguf", "text.gguf"])
  }
}
