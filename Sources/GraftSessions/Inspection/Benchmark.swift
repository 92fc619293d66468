import Foundation
import GraftAdapters
import GraftBatching
import GraftConfiguration
import GraftFiles
import GraftGeneration
import GraftJSON
import GraftLayers
import GraftModels
import GraftOptimizers
import GraftRecipes
import GraftTensors

/// Measured training or generation: random token ids, every label scored.
public struct Benchmark {
  /// The model directory, or the name of a stock configuration.
  public var model: String
  /// A method's usual name, or a YAML file with a `method:` section.
  public var method: String
  /// Sequences of a step, their tokens, steps that are measured, and steps before these.
  public var batchSize: Int, sequenceLength: Int, steps: Int, warmup: Int
  /// The precision of the products, and the format of frozen weights.
  public var precision = Recipe.PrecisionName.fp32
  /// True where training is compared with the rate of large products on this machine, and generation with that of its memory.
  public var measuresPeak = true

  /// - Parameter method: a method's usual name, or a YAML file with a `method:` section.
  public init(model: String, method: String, batchSize: Int, sequenceLength: Int, steps: Int, warmup: Int) {
    (self.model, self.method, self.batchSize, self.sequenceLength) = (model, method, batchSize, sequenceLength)
    (self.steps, self.warmup) = (steps, warmup)
  }

  /// The measurements.
  public struct Result: Sendable {
    /// The figures by name.
    public var json: JSON

    /// A line a figure.
    public var text: String {
      let figures = (json.object ?? JSONObject()).filter { $0.key != "step_seconds" }
      let width = figures.map(\.key.count).max() ?? 0
      return figures.map { key, value in
        "\(key.padding(toLength: width, withPad: " ", startingAt: 0)) \(value.string ?? value.serialized())"
      }.joined(separator: "\n")
    }
  }

  /// Forward, loss, backward, clip and AdamW, step by step.
  public func training() throws -> Result { try precision.run(measuredTraining) }

  /// Greedy, 32 prompt tokens, 128 new ones, batch 1.
  public func generation() throws -> Result { try precision.run(measuredGeneration) }

  private func measuredTraining() throws -> Result {
    let tuning = try tuningMethod()
    let session = try ModelSession(model: model, task: .causalLM, frozenType: tuning is FullFineTuning ? .float32 : precision.operandFormat)
    let network = try session.languageModel()
    let delta = try Delta(tuning, on: network.catalog)
    let optimizer = Optimizer(AdamW(), parameters: delta.parameters.map(\.parameter), weightDecay: 0.01)
    let ids = Self.syntheticIDs(batchSize * sequenceLength, vocabulary: network.vocabularySize)
    let examples = (0..<batchSize).map { EncodedExample(tokens: Array(ids[$0 * sequenceLength..<($0 + 1) * sequenceLength])) }
    let batch = Batch(collating: examples, objective: .nextToken)
    let terms = batch.lossTermCount

    var execution = Execution.current
    if precision != .fp32 { execution.savedForm = .converted(precision.operandFormat) }
    let scale: Float = precision == .fp16 ? 1024 : 1
    var seconds: [Double] = []
    var losses: [Double] = []
    var allocations = 0
    for step in 0..<warmup + steps {
      if step == warmup { allocations = BufferPool.shared.statistics.systemAllocations }
      let start = ContinuousClock.now
      let tape = Tape()
      let loss = execution.run { tape.record { network.loss(batch, Pass(isTraining: true), scale: scale / Float(terms)) } }
      let gradients = tape.gradients(of: loss)
      let norm = gradients.norm(over: optimizer.parameters) / Double(scale)
      if norm.isFinite { optimizer.step(gradients, learningRate: 1e-4, gradientScale: min(1, 1 / (norm + 1e-6)) / Double(scale)) }
      if step >= warmup { seconds.append((ContinuousClock.now - start) / .seconds(1)) }
      losses.append(Double(loss.scalar / scale))
    }
    allocations = BufferPool.shared.statistics.systemAllocations - allocations

    let tokens = batchSize * sequenceLength
    let median = seconds.sorted()[seconds.count / 2]
    let flops = Self.flopsPerToken(network.catalog, sequenceLength: sequenceLength, isFull: delta.method is FullFineTuning)
    var figures: JSONObject = [
      "tokens_per_second": .number(Double(tokens) / median), "step_seconds": .array(seconds.map(JSON.number)),
      "peak_memory_bytes": .integer(ProcessMemory.peakBytes), "trainable_parameters": .integer(delta.parameterCount),
      "total_parameters": .integer(network.catalog.parameterCount), "model_flops_per_token": .number(flops), "threads": .integer(Threads.count),
      "precision": .string(precision.rawValue), "matrix_tile": .string(LinearAlgebraBackend.matrixTile(for: precision.arithmetic)),
      "blas": .string("\(LinearAlgebraBackend.name) \(LinearAlgebraBackend.core)"), "first_loss": .number(losses.first ?? 0),
      "last_loss": .number(losses.last ?? 0), "system_allocations_per_step": .number(Double(allocations) / Double(steps)),
    ]
    if measuresPeak {
      let peak = Self.productPeak()
      figures["gemm_peak_gflops"] = .number(peak)
      figures["flops_utilization"] = .number(flops * Double(tokens) / median / 1e9 / peak)
    }
    return Result(json: .object(figures))
  }

  private func measuredGeneration() throws -> Result {
    let session = try ModelSession(model: model, task: .causalLM, frozenType: precision.operandFormat)
    let network = try session.languageModel()
    var settings = SamplingSettings()
    settings.maxNewTokens = 128
    let prompt = Self.syntheticIDs(32, vocabulary: network.vocabularySize)
    let generator = try Generator(continuing: network, endIDs: [])
    var runs: [(total: Double, first: Double)] = []
    for _ in 0..<3 {
      let start = ContinuousClock.now
      var first: Double?
      _ = try generator([prompt], settings) { _, _ in
        if first == nil { first = (ContinuousClock.now - start) / .seconds(1) }
        return false
      }
      runs.append(((ContinuousClock.now - start) / .seconds(1), first ?? 0))
    }
    let median = runs.sorted { $0.total < $1.total }[1]
    let decoding = 127 / (median.total - median.first)
    let peak = ProcessMemory.peakBytes
    let weights = Self.weightBytesPerToken(network)
    var figures: JSONObject = [
      "tokens_per_second": .number(128 / median.total), "decode_tokens_per_second": .number(decoding),
      "weight_bytes_per_token": weights.map(JSON.integer) ?? .null,
      "prefill_seconds": .number(median.first), "peak_memory_bytes": .integer(peak),
      "total_parameters": .integer(network.catalog.parameterCount), "threads": .integer(Threads.count),
      "precision": .string(precision.rawValue), "blas": .string("\(LinearAlgebraBackend.name) \(LinearAlgebraBackend.core)"),
    ]
    if measuresPeak {
      let bandwidth = MemoryBandwidth.measured()
      figures["memory_bytes_per_second"] = .number(bandwidth)
      figures["bandwidth_utilization"] = weights.map { .number(Double($0) * decoding / bandwidth) } ?? .null
    }
    return Result(json: .object(figures))
  }

  /// The method of a usual name or a file.
  private func tuningMethod() throws -> any TuningMethod {
    func named(_ type: String, _ settings: [(String, ConfigTree)]) throws -> any TuningMethod {
      try MethodCatalog.decode(recipe: .mapping(ConfigMapping([("peft_type", ConfigTree(stringLiteral: type))] + settings)))
    }
    switch method {
    case "lora": return try named("LORA", [("r", 8), ("lora_alpha", 16), ("target_modules", .null)])
    case "lora-all-linear": return try named("LORA", [("r", 16), ("lora_alpha", 32), ("target_modules", "all-linear")])
    case "prompt": return try named("PROMPT_TUNING", [("num_virtual_tokens", 20)])
    case "prefix": return try named("PREFIX_TUNING", [("num_virtual_tokens", 20)])
    case "adapter": return try named("ADAPTER", [])
    case "ia3": return try named("IA3", [])
    case "full": return try named("FULL", [])
    default:
      guard method.hasSuffix(".yaml") || method.hasSuffix(".yml") else {
        let names = ["lora", "lora-all-linear", "prompt", "prefix", "adapter", "ia3", "full"]
        throw SessionError(.usage, "--method: unknown method \"\(method)\"; \(NearestName.advice(for: method, among: names))")
      }
      let text: String
      do { text = try TextFile.text(of: method) } catch {
        throw SessionError(.usage, "\(method): \(error.problem); name a YAML file with a method: section")
      }
      let tree = try YAMLReader.tree(parsing: text, file: method)
      return try MethodCatalog.decode(recipe: tree["method"] ?? tree)
    }
  }

  /// A linear congruential generator's token ids, which other programs can make too.
  static func syntheticIDs(_ count: Int, vocabulary: Int) -> [Int32] {
    var x = 1
    return (0..<count).map { _ in
      x = (1_103_515_245 * x + 12345) & 0x7FFF_FFFF
      return Int32((x >> 8) % vocabulary)
    }
  }

  /// Multiplications and additions of matrix products per token: forward, the gradient of every input and, where the base is
  /// trained, of every weight; attention's scores count half, being causal.
  static func flopsPerToken(_ catalog: SiteCatalog, sequenceLength: Int, isFull: Bool) -> Double {
    let weights = catalog.linears.reduce(0) { $0 + $1.weight.shape.elementCount }
    let attention = catalog.sites.compactMap(\.attention).reduce(0) { $0 + $1.options.queryWidth * sequenceLength }
    return Double(weights) * (isFull ? 6 : 4) + Double(attention) * 7
  }

  /// The bytes of the matrices that a decoder reads for every token, in the format that products read; nil for a mixture, whose experts a token chooses.
  package static func weightBytesPerToken(_ model: any CausalLanguageModel) -> Int? {
    guard model.catalog.sites.allSatisfy({ $0.experts == nil }) else { return nil }
    let head = model.head.linear
    let layers = model.catalog.linears.filter { $0 !== head }
    return (layers + [head]).reduce(0) { $0 + $1.weight.operandByteCount }
  }

  /// GFLOP/s of a large product, the best of several.
  static func productPeak() -> Double {
    let size = 1024
    let x = RandomStream(seed: 1).uniform([size, size])
    let w = RandomStream(seed: 2).uniform([size, size])
    let best = (0..<8).map { _ in
      let start = ContinuousClock.now
      _ = linear(x, w)
      return (ContinuousClock.now - start) / .seconds(1)
    }.min()
    return 2 * Double(size * size * size) / (best ?? 1) / 1e9
  }
}
