import Foundation
import GraftAdapters
import GraftBatching
import GraftCheckpoints
import GraftJSON
import GraftLayers
import GraftModels
import GraftTensors
import GraftTestSupport
import Testing

/// Adapters that PEFT 0.21 makes of configurations; see Scripts/make-peft-goldens.py.
@Suite("PEFT's goldens")
struct PEFTGoldenTests {
  private static let sizes: JSON = [
    "vocab_size": 23, "hidden_size": 12, "intermediate_size": 20, "num_hidden_layers": 2, "num_attention_heads": 3,
  ]

  /// The script's models: only their names and shapes matter.
  private static func model(_ name: String) throws -> any Model {
    let type = String(name.split(separator: "-")[0])
    let config: JSON =
      switch type {
      case "gpt2": TinyConfiguration.gpt2
      case "t5": TinyConfiguration.gatedT5
      case "distilbert": TinyConfiguration.distilbert
      case "bert", "roberta": TinyConfiguration.encoder(type)
      case "llama": TinyConfiguration.llama.setting(["tie_word_embeddings": true])
      default: sizes.setting(["model_type": .string(type)])
      }
    let tasks: [(end: String, task: LearningTask)] = [("-cls", .sequenceClassification), ("-tok", .tokenClassification), ("t5", .seq2seqLM)]
    let task = tasks.first { name.hasSuffix($0.end) }?.task ?? .causalLM
    return try ModelFamily.build(
      ModelRequest(ArchitectureConfiguration(config, source: "config.json"), task: task, labels: 2),
      in: Scope(source: nil, catalog: SiteCatalog(), seed: 7))
  }

  private static let rows: [JSON] = (try? Fixtures("GraftAdaptersTests").json("peft-names.json"))?.array ?? []

  @Test("a configuration has the tensors that it has in PEFT", arguments: rows.indices)
  func names(row: Int) throws {
    let row = Self.rows[row]
    // An adapter that is read: names without effect are notes, as in PEFT.
    var configuration = row["config"] ?? .null
    configuration["peft_type"] = "LORA"
    configuration["r"] = 2
    let name = row["model"]?.string ?? ""
    let method = try MethodCatalog.decode(stored: configuration, from: "row")
    guard let expected = row["names"]?.array?.compactMap(\.string) else {
      #expect(throws: (any Error).self) { _ = try Delta(method, on: try Self.model(name).catalog) }
      return
    }
    let isAllLinear = configuration["target_modules"]?.string?.lowercased() == "all-linear"
    let model = try Self.model(name)
    // PEFT keeps LoRA of its own accord only where names match; what is read has to be there.
    let source = InMemoryWeights(name: "row", try expected.map { StoredTensor(name: $0, tensor: try Self.tensor(for: $0, row, in: model)) })
    let delta = try Delta(method, on: model.catalog, from: source)
    #expect(Set(try delta.stored(taskType: nil).tensors.map(\.name)) == Set(expected))
    guard isAllLinear else { return }
    // Trained here, the word becomes a list that means the same to PEFT.
    delta.detach()
    let fresh = try Delta(method, on: model.catalog)
    let stored = try fresh.stored(taskType: nil)
    #expect(Set(stored.tensors.map(\.name)) == Set(expected))
    let list = stored.configuration["target_modules"]?.array?.compactMap(\.string) ?? []
    #expect(!list.isEmpty)
    #expect(list.count < expected.count / 2)
  }

  /// A tensor of the shape that a model wants under a name.
  private static func tensor(for name: String, _ row: JSON, in model: any Model) throws -> Tensor {
    let path = name.replacing("base_model.model.", with: "", maxReplacements: 1)
    if let parameter = model.catalog.parameter(path) { return .zeros(parameter.shape) }
    let rank = row["ranks"]?[name.replacing("lora_B", with: "lora_A")]?.int ?? 2
    func module(_ end: String) -> String { String(path.dropLast(end.count)) }
    if path.hasSuffix(".trainable_tokens_delta") { return .zeros([2, 12]) }
    if path.hasSuffix(".lora_A.weight"), let layer = model.catalog.linears.first(where: { $0.path == module(".lora_A.weight") }) {
      return .zeros([rank, layer.inputSize])
    }
    if path.hasSuffix(".lora_B.weight"), let layer = model.catalog.linears.first(where: { $0.path == module(".lora_B.weight") }) {
      return .zeros([layer.outputSize, rank])
    }
    if path == "lm_head.weight" { return .zeros([23, 12]) }
    let bare = [".base_layer", ".original_module", ".modules_to_save"].reduce(path) { $0.replacing($1, with: "") }
    return .zeros(try #require(model.catalog.parameter(bare), "\(name)").shape)
  }

  // MARK: Values

  private static func makeBase() throws -> CausalDecoder {
    let config = TinyConfiguration.llama.setting(["tie_word_embeddings": true, "rms_norm_eps": 1e-6])
    let weights = InMemoryWeights(name: "base", try LlamaFixture("peft-values").tensors(under: "base/"))
    let request = ModelRequest(ArchitectureConfiguration(config, source: "base"))
    return try #require(try ModelFamily.build(request, in: Scope(source: weights, catalog: SiteCatalog())) as? CausalDecoder)
  }

  private static let tokens: [Int32] = [3, 17, 5, 1, 8, 2, 21]

  /// Log-probabilities of every token behind each.
  private static func probabilities(_ model: CausalDecoder) -> [Float] {
    let hidden = model.hiddenStates(SequenceInput([tokens]), .inference)
    var rows = [[Float]](repeating: [], count: tokens.count)
    for target in 0..<Int32(23) {
      for (row, prediction) in model.head.predictions(hidden, targets: Array(repeating: target, count: tokens.count)).enumerated() {
        rows[row].append(prediction.logProbability)
      }
    }
    return rows.flatMap(\.self)
  }

  private static let adapters = [
    "save_tied", "tied_head", "tied_both", "save_ensured", "lora_table", "lora_head", "lora_both", "lora_ensured", "dora_table", "parameters",
    "tokens",
  ]

  @Test("an adapter of tied tables computes what it computes in PEFT, stored again, merged and taken off", arguments: adapters)
  func values(name: String) throws {
    let fixture = try LlamaFixture("peft-values")
    let model = try Self.makeBase()
    let plain = Self.probabilities(model)
    let count = model.catalog.parameters.count
    let expected = try fixture.file.tensor("expected/\(name)").values
    let adapter = try fixture.adapter(name)
    let method = try MethodCatalog.decode(stored: adapter.configuration, from: name)
    #expect(largestDifference(plain, expected) > 0.01)
    let delta = try Delta(method, on: model.catalog, from: adapter.weights(from: name))
    #expect(largestDifference(Self.probabilities(model), expected) < 1e-4)
    let stored = try delta.stored(taskType: "CAUSAL_LM")
    let kept = adapter.tensors.filter { !$0.name.hasSuffix("base_layer.weight") }
    #expect(Set(stored.tensors.map(\.name)) == Set(kept.map(\.name)))
    for tensor in kept { #expect(stored.tensors.first { $0.name == tensor.name }?.tensor.values == tensor.tensor.values) }
    delta.detach()
    #expect(Self.probabilities(model) == plain)
    try delta.merge()
    #expect(largestDifference(Self.probabilities(model), expected) < 1e-4)
    delta.unmerge()
    #expect(Self.probabilities(model) == plain)
    #expect(model.catalog.parameters.count == count)
    let again = try Delta(method, on: model.catalog, from: stored.weights(from: name))
    #expect(largestDifference(Self.probabilities(model), expected) < 1e-4)
    again.detach()
  }

  @Test(
    "tables and heads that are trained apart get gradients of their own",
    arguments: ["save_tied", "tied_head", "tied_both", "save_ensured", "lora_ensured"])
  func gradients(name: String) throws {
    let model = try Self.makeBase()
    let adapter = try LlamaFixture("peft-values").adapter(name)
    let delta = try Delta(try MethodCatalog.decode(stored: adapter.configuration, from: name), on: model.catalog, seed: 3)
    let input = SequenceInput([Self.tokens])
    let targets = Array(Self.tokens.dropFirst()) + [Batch.ignoredTarget]
    let batch = Batch(input, targets: targets)
    func loss() -> Tensor { model.loss(batch, Pass(isTraining: true), scale: 1) }
    let tape = Tape()
    let recorded = tape.record { loss() }
    let gradients = tape.gradients(of: recorded)
    for (key, parameter) in delta.parameters {
      // One value by differences: the one with the steepest slope.
      let slopes = try #require(gradients[parameter], "\(key)").values
      guard let index = slopes.indices.max(by: { abs(slopes[$0]) < abs(slopes[$1]) }), abs(slopes[index]) > 1e-2 else { continue }
      let value = parameter.value
      func moved(_ step: Float) -> Float {
        var values = value.values
        values[index] += step
        parameter.assign(Tensor(values, value.shape))
        defer { parameter.assign(value) }
        return loss().scalar
      }
      let slope = (moved(1e-2) - moved(-1e-2)) / 2e-2
      #expect(abs(slope - slopes[index]) < 0.03 * abs(slope) + 2e-3, "\(key)[\(index)]: \(slopes[index]), by differences \(slope)")
    }
    delta.detach()
  }

  // MARK: What a recipe is told

  @Test(
    "names and patterns that match nothing are an error in a recipe, and a note in an adapter",
    arguments: [
      (#""target_modules": ["q_proj", "o_prj"]"#, "did you mean o_proj"),
      (#""target_modules": ["q_proj"], "exclude_modules": ["q_prj"]"#, "exclude_modules"),
      (#""target_modules": ["q_proj"], "rank_pattern": {"k_proj": 4}"#, "rank_pattern"),
      (#""target_modules": ["q_proj"], "rank_pattern": {"^q_proj": 4}"#, "^q_proj"),
      (#""target_modules": ["q_proj"], "alpha_pattern": {"qproj": 4}"#, "did you mean q_proj"),
      (#""target_modules": ["q_proj"], "layers_to_transform": [0, 7]"#, "7 is none of the layers with such modules; they are 0, 1"),
      (#""target_modules": ["q_proj"], "modules_to_save": ["hed"]"#, "modules_to_save"),
      (#""target_modules": ["q_proj"], "target_parameters": ["k_proj.wight"]"#, "target_parameters"),
    ])
  func strictness(settings: String, problem: String) throws {
    let model = try Self.makeBase()
    let method = try MethodCatalog.decode(stored: try JSON(parsing: #"{"peft_type": "LORA", "r": 2, \#(settings)}"#), from: "test")
    let error = try #require(throws: TuningError.self) { _ = try Delta(method, on: model.catalog) }
    #expect(error.description.contains(problem))
    let names = try Delta(
      try MethodCatalog.decode(stored: ["peft_type": "LORA", "r": 2, "target_modules": ["q_proj"]], from: "test"), on: model.catalog)
    let weights = try names.stored(taskType: nil).tensors.filter { !settings.contains("layers_to") || $0.name.contains("layers.0") }
    names.detach()
    let read = try Delta(method, on: model.catalog, from: InMemoryWeights(name: "read", weights))
    #expect(read.notes.contains { $0.contains(problem) })
    read.detach()
  }

  @Test("heads that PEFT adds by itself need not be there, nor be named twice")
  func heads() throws {
    let model = try Self.makeBase()
    let method = try MethodCatalog.decode(
      stored: [
        "peft_type": "LORA", "target_modules": ["q_proj", "q_proj"], "modules_to_save": ["classifier", "score", "model.norm", "model.norm"],
      ], from: "test")
    let delta = try Delta(method, on: model.catalog)
    #expect(delta.notes.isEmpty)
    #expect(delta.parameters.contains { $0.key == "base_model.model.model.layers.0.input_layernorm.weight" } == false)
    #expect(delta.parameters.contains { $0.key == "base_model.model.model.norm.weight" })
    delta.detach()
  }

  @Test(
    "keys of other versions without effect are passed over in an adapter, others are named",
    arguments: [
      (
        #""new_switch": false, "new_list": [], "new_text": "", "new_map": {}, "new": null, "eva_config": {"rho": 2.0}, "qalora_group_size": 16"#, true
      ),
      (#""new_switch": true"#, false),
      (#""layer_replication": [[0, 2]]"#, false), (#""use_qalora": true"#, true), (#""init_lora_weights": "corda""#, true),
    ])
  func foreignKeys(settings: String, isRead: Bool) throws {
    let json = try JSON(parsing: #"{"peft_type": "LORA", "target_modules": ["q_proj"], \#(settings)}"#)
    if isRead {
      let method = try MethodCatalog.decode(stored: json, from: "test")
      #expect(try #require(method as? LoRA).targetModules == .names(["q_proj"]))
    } else {
      let key = String(settings.split(separator: "\"")[0])
      let error = try #require(throws: (any Error).self) { _ = try MethodCatalog.decode(stored: json, from: "test") }
      #expect("\(error)".contains(key))
    }
  }
}
