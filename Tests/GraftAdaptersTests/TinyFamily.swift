import GraftAdapters
import GraftBatching
import GraftJSON
import GraftLayers
import GraftModels
import GraftTensors
import GraftTestSupport
import Testing

/// A tiny model of every kind that methods meet: decoders with separate and with fused projections, encoders, encoder-decoders.
enum TinyFamily: String, Sendable, CaseIterable, CustomTestStringConvertible {
  case llama, gpt2, bert, distilbert, t5, bart, transformer, mamba, mamba2, rwkv, rwkv6, rwkv7

  /// The families without attention, and all others.
  static let recurrent: Set<TinyFamily> = [.mamba, .mamba2, .rwkv, .rwkv6, .rwkv7]
  static let attending = Set(allCases).subtracting(recurrent)

  var testDescription: String { rawValue }

  private var configuration: JSON {
    switch self {
    case .llama: TinyConfiguration.llama.setting(["tie_word_embeddings": true])
    case .gpt2: TinyConfiguration.gpt2
    case .bert: TinyConfiguration.bert
    case .distilbert: TinyConfiguration.distilbert
    case .t5: TinyConfiguration.gatedT5
    case .bart: TinyConfiguration.bart
    case .mamba: TinyConfiguration.mamba.setting(["time_step_rank": 2])
    case .mamba2: TinyConfiguration.mamba2
    case .rwkv: TinyConfiguration.rwkv
    case .rwkv6: TinyConfiguration.rwkv6
    case .rwkv7: TinyConfiguration.rwkv7
    case .transformer: TinyConfiguration.transformer.setting(["d_ff": 20, "activation_function": "gelu"])
    }
  }

  var task: LearningTask {
    switch self {
    case .llama, .gpt2, .mamba, .mamba2, .rwkv, .rwkv6, .rwkv7: .causalLM
    case .bert, .distilbert: .maskedLM
    case .t5, .bart, .transformer: .seq2seqLM
    }
  }

  func build() throws -> any TrainableModel {
    let config = ArchitectureConfiguration(configuration, source: "config.json")
    let catalog = SiteCatalog()
    let model = try #require(
      try ModelFamily.build(ModelRequest(config, task: task), in: Scope(source: nil, catalog: catalog, seed: 7)) as? any TrainableModel)
    randomize(catalog.parameters, deviation: 0.3)
    return model
  }

  /// Two documents of different lengths.
  func batch(for model: any TrainableModel) -> Batch {
    let examples = [6, 4].enumerated().map { index, count in
      let tokens = (0..<count).map { Int32(($0 * 5 + index * 3 + 2) % 23) }
      return EncodedExample(
        tokens: tokens, source: task == .seq2seqLM ? (0...count).map { Int32(($0 * 7 + index) % 23) } : nil,
        tokenLabels: tokens.map { ($0 + 4) % 23 })
    }
    let objective: BatchObjective =
      switch task {
      case .seq2seqLM: .shiftedRight(startID: (model as? any SequenceToSequenceModel)?.decoderStartID ?? 0)
      case .causalLM: .nextToken
      default: .tokenLabels
      }
    return Batch(collating: examples, objective: objective)
  }
}

/// A method configured so that it fits every family.
struct FamilyMethod: Sendable, CustomTestStringConvertible {
  var testDescription: String
  let configuration: String
  /// The number of values that it trains on a model.
  let count: @Sendable (SiteCatalog) -> Int
  /// The families that have no place for it, where it must say so.
  var misfits: Set<TinyFamily> = []
  /// True where its gradient is that of its loss: DoRA takes the lengths of rows for constants.
  var hasWholeGradient: Bool { testDescription != "DoRA" }
  /// The rate with which it learns within a few steps.
  var learningRate = 0.01

  init(
    _ name: String, _ configuration: String, misfits: Set<TinyFamily> = [], learningRate: Double = 0.01,
    count: @escaping @Sendable (SiteCatalog) -> Int
  ) {
    (testDescription, self.configuration, self.misfits, self.learningRate, self.count) = (name, configuration, misfits, learningRate, count)
  }

  func method() throws -> any TuningMethod { try MethodCatalog.decode(stored: try JSON(parsing: configuration), from: testDescription) }

  /// A sum over all linear layers but the head.
  private static func layers(_ value: @escaping @Sendable (_ inputs: Int, _ outputs: Int) -> Int) -> @Sendable (SiteCatalog) -> Int {
    { catalog in
      catalog.linears.filter { $0.role != .languageModelHead }.reduce(0) { $0 + value($1.inputSize, $1.outputSize) }
    }
  }

  /// A sum over the attentions to itself of the only stack or of the decoder.
  private static func attentions(_ value: @escaping @Sendable (Attention) -> Int) -> @Sendable (SiteCatalog) -> Int {
    { $0.sites.compactMap(\.attention).filter { [.alone, .decoder].contains($0.place) }.reduce(0) { $0 + value($1) } }
  }

  private static func hasSource(_ catalog: SiteCatalog) -> Bool { catalog.sites.contains { $0.attention?.place == .source } }

  static let all = [
    FamilyMethod("LoRA", #"{"peft_type": "LORA", "r": 2, "target_modules": "all-linear"}"#, count: layers { 2 * ($0 + $1) }),
    FamilyMethod(
      "DoRA", #"{"peft_type": "LORA", "r": 2, "target_modules": "all-linear", "use_dora": true}"#, count: layers { 2 * ($0 + $1) + $1 }),
    FamilyMethod(
      "PiSSA", #"{"peft_type": "LORA", "r": 2, "target_modules": "all-linear", "init_lora_weights": "pissa"}"#, count: layers { 2 * ($0 + $1) }),
    FamilyMethod(
      "LoRA and tokens", #"{"peft_type": "LORA", "r": 1, "target_modules": "all-linear", "trainable_token_indices": [3, 7]}"#,
      count: { catalog in layers { $0 + $1 }(catalog) + 2 * 12 }),
    FamilyMethod("IA3", #"{"peft_type": "IA3", "target_modules": "all-linear", "feedforward_modules": []}"#, count: layers { $1 }),
    FamilyMethod(
      "VeRA", #"{"peft_type": "VERA", "r": 4, "target_modules": "all-linear"}"#, count: layers { 4 + $1 }),
    FamilyMethod("LoHa", #"{"peft_type": "LOHA", "r": 2, "target_modules": "all-linear"}"#, count: layers { 4 * ($0 + $1) }),
    FamilyMethod(
      "AdaLoRA", #"{"peft_type": "ADALORA", "init_r": 2, "target_r": 1, "target_modules": "all-linear"}"#, count: layers { 2 * ($0 + $1) + 2 }),
    FamilyMethod("OFT", #"{"peft_type": "OFT", "oft_block_size": 2, "target_modules": "all-linear"}"#, count: layers { inputs, _ in inputs / 2 }),
    FamilyMethod(
      "VB-LoRA", #"{"peft_type": "VBLORA", "r": 2, "num_vectors": 5, "vector_length": 2, "target_modules": "all-linear"}"#,
      count: { catalog in 5 * 2 + layers { 2 * 5 * ($0 + $1) / 2 }(catalog) }),
    FamilyMethod(
      "BOFT", #"{"peft_type": "BOFT", "boft_block_size": 2, "target_modules": "all-linear"}"#,
      count: layers { inputs, outputs in 2 * inputs + outputs }),
    FamilyMethod("HRA", #"{"peft_type": "HRA", "r": 2, "target_modules": "all-linear"}"#, count: layers { inputs, _ in 2 * inputs }),
    FamilyMethod("MiSS", #"{"peft_type": "MISS", "r": 2, "target_modules": "all-linear"}"#, count: layers { 2 * $1 }),
    FamilyMethod("SHiRA", #"{"peft_type": "SHIRA", "r": 1, "target_modules": "all-linear"}"#, count: layers { $0 + $1 }),
    FamilyMethod(
      "FourierFT", #"{"peft_type": "FOURIERFT", "n_frequency": 9, "scaling": 20, "target_modules": "all-linear"}"#, learningRate: 0.5,
      count: layers { _, _ in 9 }),
    FamilyMethod(
      "RandLoRA", #"{"peft_type": "RANDLORA", "r": 5, "randlora_alpha": 5, "target_modules": "all-linear"}"#,
      count: layers { first, second in
        let small = min(first, second)
        return (small + 4) / 5 * (5 + small)
      }),
    FamilyMethod("TinyLoRA", #"{"peft_type": "TINYLORA", "u": 5, "target_modules": "all-linear"}"#, learningRate: 0.05, count: layers { _, _ in 5 }),
    FamilyMethod("HiRA", #"{"peft_type": "HIRA", "r": 2, "target_modules": "all-linear"}"#, count: layers { 2 * ($0 + $1) }),
    FamilyMethod(
      "DeLoRA", #"{"peft_type": "DELORA", "r": 2, "delora_lambda": 0.5, "target_modules": "all-linear"}"#, count: layers { 2 * ($0 + $1) + 1 }),
    FamilyMethod("RoAd", #"{"peft_type": "ROAD", "group_size": 2, "target_modules": "all-linear"}"#, count: layers { $1 }),
    FamilyMethod("DEFT", #"{"peft_type": "DEFT", "r": 2, "target_modules": "all-linear"}"#, count: layers { 2 * ($0 + $1) }),
    FamilyMethod("PEANuT", #"{"peft_type": "PEANUT", "r": 2, "act_fn": "silu", "target_modules": "all-linear"}"#, count: layers { 4 * $1 }),
    FamilyMethod(
      "BitFit", #"{"peft_type": "BITFIT"}"#, misfits: [.llama, .t5],
      count: { $0.parameters.filter { $0.path.hasSuffix(".bias") }.reduce(0) { $0 + $1.shape.elementCount } }),
    FamilyMethod(
      "norm tuning", #"{"peft_type": "LN_TUNING", "target_modules": ".*([Nn]orm|ln_.)"}"#, misfits: [.rwkv, .rwkv6],
      count: { catalog in
        catalog.sites.compactMap(\.norm).filter { norm in
          let name = norm.path.split(separator: ".").last ?? ""
          return name.hasSuffix("norm") || name.hasSuffix("Norm") || name.hasPrefix("ln_")
        }.reduce(0) { $0 + $1.weight.shape.elementCount + ($1.bias?.shape.elementCount ?? 0) }
      }),
    FamilyMethod("trainable tokens", #"{"peft_type": "TRAINABLE_TOKENS", "token_indices": [2, 7]}"#, count: { _ in 2 * 12 }),
    FamilyMethod(
      "Pfeiffer's adapter", #"{"peft_type": "ADAPTER", "reduction_factor": 4}"#, misfits: [.mamba, .mamba2],
      count: { catalog in catalog.sites.filter { $0.role == .down }.count * (2 * 3 * 12 + 3 + 12) }),
    FamilyMethod(
      "LoReFT", #"{"peft_type": "REFT", "r": 2, "prefix_positions": 2, "tied_weights": true, "dropout": 0}"#, learningRate: 0.05,
      count: { $0.sites.compactMap(\.block).count * (2 * 2 * 12 + 2) }),
    FamilyMethod(
      "AdapterHub's prefix", #"{"peft_type": "HUB_PREFIX", "prefix_length": 3, "bottleneck_size": 5}"#,
      misfits: TinyFamily.recurrent.union([.llama, .t5, .bart, .transformer]), learningRate: 0.05,
      count: { catalog in 3 * 12 + 5 * (12 + 1) + attentions { _ in 2 * 12 * (5 + 1) }(catalog) }),
    FamilyMethod(
      "prompt", #"{"peft_type": "PROMPT_TUNING", "num_virtual_tokens": 3}"#, learningRate: 0.1, count: { hasSource($0) ? 6 * 12 : 3 * 12 }),
    FamilyMethod(
      "P-tuning", #"{"peft_type": "P_TUNING", "num_virtual_tokens": 3, "encoder_hidden_size": 5}"#, learningRate: 0.1,
      count: { (hasSource($0) ? 6 * 12 : 3 * 12) + (12 * 5 + 5) + (5 * 5 + 5) + (5 * 12 + 12) }),
    FamilyMethod(
      "P-tuning, recurrent",
      #"{"peft_type": "P_TUNING", "num_virtual_tokens": 3, "encoder_hidden_size": 4, "encoder_reparameterization_type": "LSTM", "encoder_num_layers": 1}"#,
      learningRate: 0.1, count: { (hasSource($0) ? 6 * 12 : 3 * 12) + 2 * 16 * (12 + 4 + 2) + (8 * 8 + 8) + (8 * 12 + 12) }),
    FamilyMethod(
      "prefix", #"{"peft_type": "PREFIX_TUNING", "num_virtual_tokens": 3}"#, misfits: TinyFamily.recurrent, learningRate: 0.05,
      count: attentions { 3 * 2 * $0.options.keyWidth }),
    FamilyMethod(
      "prefix through a network", #"{"peft_type": "PREFIX_TUNING", "num_virtual_tokens": 3, "prefix_projection": true, "encoder_hidden_size": 5}"#,
      misfits: TinyFamily.recurrent, learningRate: 0.05,
      count: { catalog in
        let columns = attentions { 2 * $0.options.keyWidth }(catalog)
        let width = columns / 4
        return 3 * width + (width * 5 + 5) + (5 * columns + columns)
      }),
    FamilyMethod(
      "initial state", #"{"peft_type": "STATE_TUNING"}"#, misfits: TinyFamily.attending, learningRate: 0.05,
      count: { $0.sites.compactMap(\.recurrence).reduce(0) { $0 + $1.startSize } }),
    FamilyMethod(
      "the norms of a layer", #"{"peft_type": "FULL", "target_modules": ".*([Nn]orm|ln_.)", "layers_to_transform": 1}"#, misfits: [.rwkv],
      // Those inside of a mixer too, of gated channels and of heads.
      count: { catalog in
        catalog.parameters.filter { parameter in
          let components = parameter.path.split(separator: ".")
          let name = components.dropLast().last ?? ""
          return components.first { Int($0) != nil } == "1" && (name.hasSuffix("norm") || name.hasSuffix("Norm") || name.hasPrefix("ln_"))
        }.reduce(0) { $0 + $1.shape.elementCount }
      }),
    FamilyMethod("everything", #"{"peft_type": "FULL"}"#, count: { $0.parameterCount }),
  ]
}
