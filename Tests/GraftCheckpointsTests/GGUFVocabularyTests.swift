import GraftCheckpoints
import GraftJSON
import GraftTensors
import GraftTestSupport
import Testing

@Suite("Tokenizers in GGUF files")
struct GGUFVocabularyTests {
  private typealias Entry = (key: String, value: GGUFValue)

  private static func file(_ metadata: [Entry], in folder: TemporaryDirectory) throws -> GGUFFile {
    let path = folder.file("tokenizer.gguf")
    try GGUFWriter.write(metadata: [("general.architecture", .string("llama"))] + metadata, [], to: path) { _ in Tensor([], [0]) }
    return try GGUFFile(path)
  }

  private static let bytes: [Entry] = [
    ("tokenizer.ggml.model", .string("gpt2")), ("tokenizer.ggml.pre", .string("qwen2")), ("llama.context_length", .uint32(64)),
    ("tokenizer.ggml.tokens", .array(GGUFArray(["a", "b", "ab", "<end>", "[PAD4]", "<mine>"]))),
    ("tokenizer.ggml.token_type", .array(GGUFArray([1, 1, 1, 3, 5, 4] as [Int32]))), ("tokenizer.ggml.merges", .array(GGUFArray(["a b"]))),
    ("tokenizer.ggml.eos_token_id", .uint32(3)), ("tokenizer.ggml.add_bos_token", .bool(false)), ("tokenizer.ggml.add_eos_token", .bool(true)),
    ("tokenizer.chat_template", .string("{{ messages }}")),
  ]

  @Test("of bytes become a tokenizer.json of the same tokens, and the settings beside it")
  func byteLevel() throws {
    let folder = try TemporaryDirectory()
    let vocabulary = try GGUFVocabulary(try Self.file(Self.bytes, in: folder))
    let json = vocabulary.tokenizer
    #expect(json["model"]?["vocab"] == ["a": 0, "b": 1, "ab": 2, "<end>": 3, "<mine>": 5])
    #expect(json["model"]?["merges"] == [["a", "b"]] && json["model"]?["ignore_merges"] == false)
    #expect(json["added_tokens"]?.array?.map { $0["content"] } == ["<end>", "<mine>"])
    #expect(json["added_tokens"]?.array?.map { $0["special"] } == [true, false])
    #expect(json["normalizer"] == ["type": "NFC"] && json["pre_tokenizer"]?["pretokenizers"]?[1]?["type"] == "ByteLevel")
    #expect(
      json["post_processor"]?["single"]
        == [["Sequence": ["id": "A", "type_id": 0]], ["SpecialToken": ["id": "<end>", "type_id": 0]]])
    #expect(vocabulary.configuration["eos_token"] == "<end>" && vocabulary.configuration["bos_token"] == nil)
    #expect(vocabulary.configuration["model_max_length"] == 64 && vocabulary.configuration["chat_template"] == "{{ messages }}")
    #expect(vocabulary.specialIDs.map(\.key) == ["eos_token_id"] && vocabulary.specialIDs.map(\.id) == [3])
  }

  @Test("of pieces merge in the order of their scores")
  func pieces() throws {
    let folder = try TemporaryDirectory()
    let metadata: [Entry] = [
      ("tokenizer.ggml.model", .string("llama")), ("tokenizer.ggml.tokens", .array(GGUFArray(["<unk>", "<s>", "▁", "a", "b", "ab", "▁ab", "▁a"]))),
      ("tokenizer.ggml.scores", .array(GGUFArray([0, 0, -9, -9, -9, -1, -2, -3] as [Float]))),
      ("tokenizer.ggml.token_type", .array(GGUFArray([2, 3, 1, 1, 1, 1, 1, 1] as [Int32]))), ("tokenizer.ggml.bos_token_id", .uint32(1)),
      ("tokenizer.ggml.unknown_token_id", .uint32(0)), ("tokenizer.ggml.add_bos_token", .bool(true)),
    ]
    let json = try GGUFVocabulary(try Self.file(metadata, in: folder)).tokenizer
    // Of the two ways to "▁ab" the longer left part comes first.
    #expect(json["model"]?["merges"] == [["a", "b"], ["▁a", "b"], ["▁", "ab"], ["▁", "a"]])
    #expect(json["model"]?["unk_token"] == "<unk>" && json["model"]?["byte_fallback"] == true && json["model"]?["fuse_unk"] == true)
    #expect(json["normalizer"]?["normalizers"]?[0]?["type"] == "Prepend" && json["decoder"]?["decoders"]?[3]?["type"] == "Strip")
    #expect(json["post_processor"]?["special_tokens"]?["<s>"]?["ids"] == [1])
    let bare = try GGUFVocabulary(try Self.file(metadata + [("tokenizer.ggml.add_space_prefix", .bool(false))], in: folder)).tokenizer
    #expect(bare["normalizer"]?["normalizers"]?.array?.count == 1 && bare["decoder"]?["decoders"]?.array?.count == 3)
  }

  @Test("that stand there whole are taken as they are")
  func whole() throws {
    let folder = try TemporaryDirectory()
    let own: JSON = ["version": "1.0", "model": ["type": "BPE"]]
    let metadata = Self.bytes + [("tokenizer.huggingface.json", .string(own.serialized()))]
    #expect(try GGUFVocabulary(try Self.file(metadata, in: folder)).tokenizer == own)
    let damaged = Self.bytes + [("tokenizer.huggingface.json", .string("{"))]
    expectError(.malformed, "is no JSON") { _ = try GGUFVocabulary(try Self.file(damaged, in: folder)) }
  }

  @Test(
    "of other kinds are refused with their names",
    arguments: [
      ("tokenizer.ggml.model", .string("bert"), "'bert'"), ("tokenizer.ggml.pre", .string("tekken"), "'tekken'"),
      ("tokenizer.ggml.merges", .array(GGUFArray(["a c"])), "\"a c\""),
      ("tokenizer.ggml.token_type", .array(GGUFArray([1, 1] as [Int32])), "6 tokens"),
      ("tokenizer.ggml.tokens", .array(GGUFArray(["a", "a", "ab", "c", "d", "e"])), "\"a\""),
    ] as [(String, GGUFValue, String)])
  func refused(key: String, value: GGUFValue, complaint: String) throws {
    let folder = try TemporaryDirectory()
    let metadata = Self.bytes.map { $0.key == key ? (key, value) : $0 }
    let file = try Self.file(metadata, in: folder)
    let error = #expect(throws: CheckpointError.self) { _ = try GGUFVocabulary(file) }
    #expect(error?.description.contains(complaint) == true, "\(key)")
  }
}
