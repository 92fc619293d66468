import GraftCheckpoints
import GraftRecipes
import GraftSessions
import GraftTensors
import GraftTestSupport
import Testing

/// Merging into a quantized base, and adapters that start from a quantization.
@Suite struct RequantizationTests {
  private static let seedling = "\(Repository.root.path)/Data/models/seedling"

  private static func train(_ model: String, _ method: String, in folder: TemporaryDirectory, to output: String) throws -> Double {
    try folder.write((0..<6).map { "{\"text\": \"one \($0) two \($0 * 7) three\"}\n" }.joined().utf8, to: "data.jsonl")
    let recipe = try Recipe(
      yaml: """
        model: {\(model)}
        method: \(method)
        data: {train: \(folder.path)/data.jsonl, packing: false}
        training: {max_steps: 2, batch_size: 2, logging_steps: 1, learning_rate: 0.01}
        report: {html: false, tensorboard: false}
        """, file: "quantized.yaml")
    var losses: [Double] = []
    _ = try TrainingRun(recipe, output: output).run { event in
      if case .training(.logged(let line)) = event { losses.append(line.loss) }
    }
    return try #require(losses.first)
  }

  @Test func aQuantizedBaseTakesASumQuantizedAgain() throws {
    let folder = try TemporaryDirectory()
    let (base, run, output) = (folder.file("base"), folder.file("run"), folder.file("merged"))
    _ = try ModelQuantization.write(Self.seedling, as: .nf4, to: base)
    _ = try Self.train("path: \(base)", "{peft_type: LORA, r: 4}", in: folder, to: run)
    let report = try AdapterOperations.mergeRequantized(model: base, adapters: [WeightedAdapter(run)], to: output)
    #expect(report.quantization == .nf4 && report.matrices == 35)
    #expect(report.relativeError > 0 && report.relativeError < 0.15)
    #expect(report.largestChange >= report.meanChange && report.meanChange > 0 && report.meanChange < 1)
    #expect(try Checkpoint(directory: output).isQuantized)
    #expect(folder.entries == ["base", "data.jsonl", "merged", "run"])
    let error = #expect(throws: SessionError.self) {
      _ = try AdapterOperations.mergeRequantized(model: Self.seedling, adapters: [], to: folder.file("plain"))
    }
    #expect(error?.description.contains("is not quantized") == true)
  }

  /// A run that starts from the error of its quantization is the same model over the quantized base and over the unquantized one.
  @Test(arguments: [1, 2]) func loftQStartsNearer(rounds: Int) throws {
    let folder = try TemporaryDirectory()
    let run = folder.file("run")
    let method =
      "{peft_type: LORA, r: 8, lora_alpha: 8, init_lora_weights: loftq, loftq_config: {loftq_bits: 4, loftq_iter: \(rounds)}}"
    let model = "path: \(Self.seedling), quantization: nf4"
    let started = try Self.train(model, method, in: folder, to: run)
    #expect(started.isFinite)
    let quantized = try ModelSession(model: Self.seedling, adapter: run, quantization: .nf4)
    let plain = try ModelSession(model: Self.seedling, adapter: run)
    let data = try folder.write("{\"text\": \"one 3 two 21 three\"}\n".utf8, to: "text.jsonl")
    func values(_ session: ModelSession) throws -> [Double] { try session.evaluate(data).map(\.value) }
    #expect(abs(try values(quantized)[0] - values(plain)[0]) < 1e-4)
    let reference = try ModelReference(run)
    #expect(reference.model == Self.seedling && reference.adapters == [run] && reference.quantization == .nf4)
  }
}
