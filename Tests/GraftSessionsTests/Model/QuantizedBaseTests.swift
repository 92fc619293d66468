import Foundation
import GraftBatching
import GraftCheckpoints
import GraftJSON
import GraftLayers
import GraftModels
import GraftRecipes
import GraftSessions
import GraftTensors
import GraftTestSupport
import GraftTraining
import Testing

/// Training, reading and merging over a base whose linear layers are quantized.
@Suite struct QuantizedBaseTests {
  private static let seedling = "\(Repository.root.path)/Data/models/seedling"

  private static func recipe(_ model: String, method: String = "{peft_type: LORA, r: 4}", in folder: TemporaryDirectory) throws -> Recipe {
    try folder.write((0..<6).map { "{\"text\": \"one \($0) two \($0 * 7) three\"}\n" }.joined().utf8, to: "data.jsonl")
    return try Recipe(
      yaml: """
        model: {\(model)}
        method: \(method)
        data: {train: \(folder.path)/data.jsonl, packing: false}
        training: {max_steps: 3, batch_size: 2, logging_steps: 1, learning_rate: 0.01}
        report: {html: false, tensorboard: false}
        """, file: "quantized.yaml")
  }

  private static func losses(_ recipe: Recipe, _ output: String) throws -> [Double] {
    var losses: [Double] = []
    _ = try TrainingRun(recipe, output: output).run { event in
      if case .training(.logged(let line)) = event { losses.append(line.loss) }
    }
    return losses
  }

  /// A recipe that quantizes learns to the bit what one learns over the quantized checkpoint, which merges as the numbers it stands for.
  @Test(arguments: WeightQuantization.allCases.filter { $0.layout != nil })
  func aQuantizedCheckpointIsTheBaseThatARecipeMakes(quantization: WeightQuantization) throws {
    let folder = try TemporaryDirectory()
    let base = folder.file("base")
    let report = try ModelQuantization.write(Self.seedling, as: quantization, to: base)
    #expect(report.matrices == 35 && report.relativeError > 0.001 && report.relativeError < 0.15)
    // But for its header, and the vocabulary of a GGUF file, the file is what is told of the tensors.
    let file = ["safetensors", "gguf"].map { URL(filePath: "\(base)/model.\($0)") }.first { FileManager.default.fileExists(atPath: $0.path) }
    let fileSize = try Data(contentsOf: try #require(file)).count
    let inspection = try Inspection(of: base)
    let told = try #require(inspection.json["bytes"]?.int)
    #expect(told < fileSize && told > fileSize - 100_000)

    let made = try Self.losses(Self.recipe("path: \(Self.seedling), quantization: \(quantization)", in: folder), folder.file("made"))
    let read = try Self.losses(Self.recipe("path: \(base)", in: folder), folder.file("read"))
    let exact = try Self.losses(Self.recipe("path: \(Self.seedling)", in: folder), folder.file("exact"))
    #expect(made == read && made.count == 3 && made != exact)
    // The coarsest, q4_0, loses a tenth of the weights' root mean square.
    #expect(abs(made[0] - exact[0]) < 0.5, "\(made) \(exact)")

    let adapter = [WeightedAdapter(folder.file("read"))]
    let refusal = #expect(throws: SessionError.self) { try AdapterOperations.merge(model: base, adapters: adapter, to: folder.file("merged")) }
    #expect(refusal?.description.contains("--dequantize") == true)
    let merged = try AdapterOperations.merge(model: base, adapters: adapter, to: folder.file("merged"), dequantizes: true)
    #expect(merged.difference < 1e-3)
    #expect(!(try Checkpoint(directory: folder.file("merged")).isQuantized))
    #expect(try Checkpoint.configuration(in: folder.file("merged"))["quantization_config"] == nil)
  }

  /// Heads, tables and norms stay; a layer that is stored input by output is quantized output by output.
  @Test func linearLayersAloneAreQuantized() throws {
    for configuration in [TinyConfiguration.gpt2, TinyConfiguration.decoder("llama", heads: 3)] {
      let request = ModelRequest(ArchitectureConfiguration(configuration, source: "tiny"))
      let (exact, quantized) = (SiteCatalog(), SiteCatalog())
      _ = try ModelFamily.build(request, in: Scope(source: nil, catalog: exact, seed: 1))
      _ = try ModelFamily.build(request, in: Scope(source: nil, catalog: quantized, quantization: .nf4, seed: 1))
      for (parameter, dense) in zip(quantized.parameters, exact.parameters) {
        let layer = quantized.linears.first { $0.weight === parameter }
        guard let layer, layer.isQuantizable else {
          #expect(parameter.format == .float32 && parameter.value.values == dense.value.values, "\(parameter.path)")
          continue
        }
        #expect(parameter.format == .nf4 && parameter.shape == dense.shape, "\(parameter.path)")
        let rows = layer.layout == .outputByInput ? dense.value : dense.value.transposed
        let expected = Weight.blocks(try WeightQuantization.nf4.encode(rows)).dense()
        #expect(parameter.dense().values == (layer.layout == .outputByInput ? expected : expected.transposed).values, "\(parameter.path)")
      }
      #expect(
        quantized.linears.filter(\.isQuantizable).count > 7 && !quantized.linears.contains { $0.role == .languageModelHead && $0.isQuantizable })
    }
  }

  @Test func fullTrainingHasNothingToQuantize() throws {
    let folder = try TemporaryDirectory()
    let recipe = try Self.recipe("path: \(Self.seedling), quantization: nf4", method: "{peft_type: FULL}", in: folder)
    let error = #expect(throws: SessionError.self) { try RunSettings(recipe) }
    #expect(error?.description.hasPrefix("model.quantization: FULL") == true)
  }

  @Test func aQuantizedModelIsNotQuantizedAgain() throws {
    let folder = try TemporaryDirectory()
    _ = try ModelQuantization.write(Self.seedling, as: .nf4, to: folder.file("once"))
    let error = #expect(throws: SessionError.self) { try ModelQuantization.write(folder.file("once"), as: .int8, to: folder.file("twice")) }
    #expect(error?.description.contains("is quantized already") == true)
  }

  @Test func aQuantizationWithoutFilesIsNotWritten() throws {
    let folder = try TemporaryDirectory()
    let error = #expect(throws: SessionError.self) { try ModelQuantization.write(Self.seedling, as: .int8Blockwise, to: folder.file("out")) }
    #expect(error?.description.contains("write one of nf4, fp4, int8, q8_0, q4_0, q4_k, q6_k, mxfp4, fp8_e4m3") == true)
  }

  /// A checkpoint of random weights, with the tokenizer of the small model.
  private static func checkpoint(_ configuration: JSON, in folder: TemporaryDirectory) throws -> String {
    let catalog = SiteCatalog()
    let request = ModelRequest(ArchitectureConfiguration(configuration, source: "tiny"))
    _ = try ModelFamily.build(request, in: Scope(source: nil, catalog: catalog, seed: 1))
    let values = Dictionary(catalog.parameters.map { ($0.path, $0.value) }) { first, _ in first }
    try ModelDirectoryWriter(directory: folder.file("model")).write(
      values.map { TensorDescription(name: $0.key, of: $0.value) }, configuration: configuration, tokenizerDirectory: seedling
    ) { try #require(values[$0.name]) }
    return folder.file("model")
  }

  /// Families whose files differ from Transformers' in the order of rows, of axes, or in what norms are.
  private static let families = [
    TinyConfiguration.gpt2.setting(["n_embd": 96, "vocab_size": 1024]),
    TinyConfiguration.decoder("llama", heads: 2).setting(["hidden_size": 64, "intermediate_size": 96, "head_dim": 32, "vocab_size": 1024]),
    TinyConfiguration.gemma.setting(["hidden_size": 96, "intermediate_size": 64, "head_dim": 32, "vocab_size": 1024]),
  ]

  /// A GGUF file is read into what was written: blocks in the order of Transformers, and the rest as it was.
  @Test(arguments: families)
  func filesOfBlocksAreReadAsTheModel(configuration: JSON) throws {
    let folder = try TemporaryDirectory()
    let model = try Self.checkpoint(configuration, in: folder)
    _ = try ModelQuantization.write(model, as: .q8_0, to: folder.file("quantized"))
    let written = try ModelSession(model: folder.file("quantized"), adapters: [])
    let made = try ModelSession(model: model, adapters: [], quantization: .q8_0)
    let (found, expected) = (written.model.catalog.parameters, made.model.catalog.parameters)
    #expect(found.map(\.path) == expected.map(\.path) && found.count(where: { $0.format == .q8_0 }) >= 8)
    for (found, expected) in zip(found, expected) {
      #expect(found.format == expected.format && found.dense().shape == expected.dense().shape, "\(found.path)")
      #expect(zip(found.dense().values, expected.dense().values).allSatisfy { abs($0 - $1) < 1e-6 }, "\(found.path)")
    }
    let file = try GGUFFile("\(folder.file("quantized"))/model.gguf")
    #expect(file["general.file_type"]?.int == 7)
  }

  /// A file whose table is in blocks, too, as llama.cpp's are: rows are looked up in them, and a tied head multiplies by them.
  @Test func tablesMayBeInBlocks() throws {
    let folder = try TemporaryDirectory()
    let model = try Self.checkpoint(Self.families[2], in: folder)
    _ = try ModelQuantization.write(model, as: .q8_0, to: folder.file("quantized"))
    let path = "\(folder.file("quantized"))/model.gguf"
    let file = try GGUFFile(path)
    let table = try WeightQuantization.q8_0.encode(file.tensor("token_embd.weight"))
    let tensors = file.entries.map { GGUFTensor(name: $0.name, format: $0.name == "token_embd.weight" ? .q8_0 : $0.format, shape: $0.shape) }
    let blocks = try #require(table as? GGMLMatrix)
    let session = try ModelSession(model: folder.file("quantized"), adapters: [])
    let stored = Dictionary(session.model.catalog.parameters.map { ($0.path, $0) }) { first, _ in first }
    #expect(stored["model.embed_tokens.weight"]?.format == .float32)
    try FileManager.default.createDirectory(atPath: folder.file("all"), withIntermediateDirectories: true)
    for name in try FileManager.default.contentsOfDirectory(atPath: folder.file("quantized")) where name != "model.gguf" {
      try FileManager.default.copyItem(atPath: "\(folder.file("quantized"))/\(name)", toPath: "\(folder.file("all"))/\(name)")
    }
    try GGUFWriter.write(metadata: file.metadata, tensors, to: "\(folder.file("all"))/model.gguf") {
      $0.name == "token_embd.weight" ? blocks.bytes : try file.content(of: $0.name)
    }
    let all = try ModelSession(model: folder.file("all"), adapters: [])
    let embedding = try #require(all.model.catalog.parameters.first { $0.path == "model.embed_tokens.weight" })
    #expect(embedding.format == .q8_0 && embedding.dense().values == Weight.blocks(blocks).dense().values)
  }

  /// The matrices of experts in one tensor are quantized expert by expert, and a model computes with them what it does with their elements.
  @Test(arguments: [WeightQuantization.mxfp4, .nf4])
  func expertsAreQuantized(quantization: WeightQuantization) throws {
    let configuration = TinyConfiguration.gptOss.setting(["hidden_size": 32, "intermediate_size": 64, "head_dim": 16])
    let catalog = SiteCatalog()
    let request = ModelRequest(ArchitectureConfiguration(configuration, source: "tiny"))
    let model = try ModelFamily.build(request, in: Scope(source: nil, catalog: catalog, quantization: quantization, seed: 1))
    let experts = catalog.parameters.filter { $0.shape.rank == 3 }
    #expect(experts.count == 4 && experts.allSatisfy { $0.format == (quantization == .nf4 ? .nf4 : .mxfp4) })
    let batch = SequenceInput([[1, 5, 3, 2, 9, 4]])
    let found = model.hiddenStates(batch, .inference).values
    for parameter in catalog.parameters { parameter.assign(parameter.dense()) }
    #expect(experts.allSatisfy { $0.format == .float32 && $0.dense().shape.rank == 3 })
    #expect(zip(found, model.hiddenStates(batch, .inference).values).allSatisfy { abs($0 - $1) < 1e-4 })
  }
}
