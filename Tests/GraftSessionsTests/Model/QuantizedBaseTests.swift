import Foundation
import GraftCheckpoints
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
  @Test(arguments: WeightQuantization.allCases)
  func aQuantizedCheckpointIsTheBaseThatARecipeMakes(quantization: WeightQuantization) throws {
    let folder = try TemporaryDirectory()
    let base = folder.file("base")
    let report = try ModelQuantization.write(Self.seedling, as: quantization, to: base)
    #expect(report.matrices == 35 && report.relativeError > 0.001 && report.relativeError < 0.15)
    // But for its header, the file is what is told of the tensors.
    let fileSize = try Data(contentsOf: URL(filePath: "\(base)/model.safetensors")).count
    let inspection = try Inspection(of: base)
    let told = try #require(inspection.json["bytes"]?.int)
    #expect(told < fileSize && told > fileSize - 40_000)

    let made = try Self.losses(Self.recipe("path: \(Self.seedling), quantization: \(quantization)", in: folder), folder.file("made"))
    let read = try Self.losses(Self.recipe("path: \(base)", in: folder), folder.file("read"))
    let exact = try Self.losses(Self.recipe("path: \(Self.seedling)", in: folder), folder.file("exact"))
    #expect(made == read && made.count == 3 && made != exact)
    #expect(abs(made[0] - exact[0]) < 0.3, "\(made) \(exact)")

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
}
