import Foundation
import GraftCheckpoints
import GraftJSON
import GraftLayers
import GraftModels
import GraftTensors
import GraftTestSupport
import Testing

@Suite("A checkpoint's directory says one thing")
struct ModelDirectoryTests {
  /// Writes a family's tiny checkpoint, with other keys, tensors and a `generation_config.json`.
  private func write(
    _ name: String, _ changes: JSON = [:], generation: JSON? = nil, tensors: [String: Tensor] = [:]
  ) throws -> TemporaryDirectory {
    let fixture = try ConfigurationFixture(name)
    let source = fixture.source()
    let folder = try TemporaryDirectory()
    var configuration = fixture.configuration
    var values = tensors
    for (key, value) in changes.object ?? [:] { configuration[key] = value.isNull ? nil : value }
    for name in source.tensorNames where values[name] == nil { values[name] = try source.tensor(name) }
    try ModelDirectoryWriter(directory: folder.file("model")).write(
      values.map { TensorDescription(name: $0.key, of: $0.value) }, configuration: configuration
    ) { description in try #require(values[description.name]) }
    if let generation { try folder.write(generation.serializedBytes(), to: "model/generation_config.json") }
    return folder
  }

  /// Training and scores start with what `config.json` says, generation with what its own file says.
  @Test func startsOfDecoders() throws {
    func starts(_ changes: JSON, _ generation: JSON?) throws -> [Int32] {
      let folder = try write("t5", changes, generation: generation)
      let model = try #require(try ModelDirectory(folder.file("model"), task: .seq2seqLM).model as? any SequenceToSequenceModel)
      return [model.decoderStartID, model.generationStartID]
    }
    #expect(try starts([:], nil) == [0, 0])
    #expect(try starts(["decoder_start_token_id": 4], nil) == [4, 4])
    #expect(try starts(["decoder_start_token_id": 4], ["decoder_start_token_id": 7]) == [4, 7])
    #expect(try starts(["decoder_start_token_id": .null], ["decoder_start_token_id": 7]) == [7, 7])
    #expect(try starts(["decoder_start_token_id": .null, "pad_token_id": 3], nil) == [3, 3])
    let wrong = complaint { _ = try starts([:], ["decoder_start_token_id": 19]) }
    #expect(wrong.contains("generation_config.json: decoder_start_token_id: token 19 is outside the vocabulary of 19"))
  }

  @Test func endsOfTexts() throws {
    func ends(_ changes: JSON, _ generation: JSON?) throws -> Set<Int32> {
      let folder = try write("gpt2", changes, generation: generation)
      return try ModelDirectory(folder.file("model")).endOfSequenceIDs
    }
    #expect(try ends(["eos_token_id": 5], nil) == [5])
    #expect(try ends(["eos_token_id": 5], ["eos_token_id": [3, 4]]) == [3, 4])
    #expect(try ends(["eos_token_id": -1], nil) == [])
    #expect(try ends(["eos_token_id": 2_147_483_647], nil) == [2_147_483_647])
    #expect(complaint { _ = try ends(["eos_token_id": 2_147_483_648], nil) }.contains("config.json: eos_token_id: holds 2147483648"))
    #expect(complaint { _ = try ends([:], ["eos_token_id": "</s>"]) }.contains("generation_config.json: eos_token_id: holds \"</s>\""))
  }

  /// The integers of a quantized checkpoint are never taken for numbers.
  @Test func integersAreNoWeights() throws {
    let name = "transformer.h.0.mlp.c_fc.weight"
    let integers = Tensor((0..<256).map { Int32($0) }).reshaped(to: [8, 32])
    let folder = try write("gpt2", tensors: [name: integers])
    #expect(complaint { _ = try ModelDirectory(folder.file("model")) }.contains("\(name) holds int32, a model is made of floating-point numbers"))
  }

  /// A tied head that a checkpoint holds twice stays tied when its vocabulary grows.
  @Test(arguments: ["gpt2", "bert"])
  func grownVocabulariesStayTied(_ name: String) throws {
    let fixture = try ConfigurationFixture(name)
    let source = fixture.source()
    let (head, table) =
      name == "gpt2"
      ? ("lm_head.weight", "transformer.wte.weight") : ("cls.predictions.decoder.weight", "bert.embeddings.word_embeddings.weight")
    let bias = "cls.predictions.bias"
    let twins = name == "gpt2" ? [:] : ["cls.predictions.decoder.bias": try source.tensor(bias)]
    let folder = try write(name, tensors: twins.merging([head: try source.tensor(table)]) { first, _ in first })
    let model = try #require(try ModelDirectory(folder.file("model"), task: fixture.task, vocabularySize: 22).model as? any LanguageModel)
    #expect(model.head.linear.weight === model.catalog.parameter(table))
    #expect(model.head.linear.weight.shape == [22, 8])
    if name == "bert" { #expect(model.head.linear.bias === model.catalog.parameter(bias)) }
  }
}
