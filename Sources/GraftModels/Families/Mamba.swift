import Foundation
import GraftBatching
import GraftLayers
import GraftTensors

extension ModelFamily {
  /// Mamba: selective state spaces in the place of attention and feed-forward (Gu and Dao 2023).
  public static let mamba = ModelFamily.decoder(
    "mamba", classNames: "Mamba", tasks: [.causalLM], fixedStyle: .causal,
    configuration: ConfigurationKeys(
      .decoder + [
        .size("vocab_size"), .size("hidden_size"), .size("num_hidden_layers"), .read("state_size", 16), .read("conv_kernel", 4), .read("expand", 2),
        .optional("intermediate_size"), .read("use_bias", false), .read("use_conv_bias", true), .read("hidden_act", "silu"),
        .read("layer_norm_epsilon", 1e-5), .read("initializer_range", 0.1), .read("rescale_prenorm_residual", false), .read("time_step_rank", "auto"),
        .read("time_step_scale", 1.0), .read("time_step_min", 0.001), .read("time_step_max", 0.1), .read("time_step_floor", 1e-4),
        .read("time_step_init_scheme", "random"), .read("tie_word_embeddings", true), .read("pad_token_id", 0, orNull: true),
      ] + ConfigurationKey.withoutEffect("residual_in_fp32", "use_mambapy", "use_associative_scan")),
    tensors: TensorNames(
      base: "backbone", vocabulary: ["embeddings.weight", "lm_head.weight"],
      formerEnds: [.init("backbone.embeddings.weight", former: "backbone.embedding.weight")])
  ) { config, style, isHeadless, scope in
    let parts = try Mamba.parts(try Mamba.Configuration(config), isHeadless: isHeadless, in: scope)
    return CausalDecoder("mamba", parts, style: style, catalog: scope.catalog)
  }
}

/// Mamba's configuration and blocks.
private enum Mamba {
  /// The sizes and options of a model.
  struct Configuration {
    var vocabularySize: Int, hiddenSize: Int, layers: Int
    /// The channels of a mixer, the numbers that each keeps, and the width of the row that step sizes are made of.
    var channels: Int, stateSize: Int, stepRank: Int
    var kernel: Int
    var hasBias: Bool, hasKernelBias: Bool
    var activation: NonlinearityName
    var epsilon: Float
    var initializer: Initializer, stepInitializer: Initializer, stepBiasInitializer: Initializer, outputInitializer: Initializer
    var tiesHead: Bool

    /// - Parameter config: resolved for the family.
    /// - Throws: `ArchitectureError` for a value that is out of range, and for values that contradict each other.
    init(_ config: ArchitectureConfiguration) throws(ArchitectureError) {
      vocabularySize = try config.count("vocab_size")
      hiddenSize = try config.count("hidden_size")
      layers = try config.listCount("num_hidden_layers")
      let expansion = try config.positiveFloat("expand")
      guard expansion * Float(hiddenSize) >= 1, expansion * Float(hiddenSize) < 1e9 else {
        throw config.fail("expand", "\(expansion) times hidden_size \(hiddenSize) is out of range")
      }
      channels = try config.count("intermediate_size", default: Int(expansion * Float(hiddenSize)))
      stateSize = try config.count("state_size")
      stepRank = config.json["time_step_rank"]?.string == "auto" ? (hiddenSize + 15) / 16 : try config.count("time_step_rank")
      kernel = try config.count("conv_kernel")
      guard kernel >= 2 else { throw config.fail("conv_kernel", "is \(kernel); it must be at least 2") }
      hasBias = try config.bool("use_bias")
      hasKernelBias = try config.bool("use_conv_bias")
      activation = try config.activation("hidden_act")
      epsilon = try config.float("layer_norm_epsilon")
      initializer = .normal(standardDeviation: try config.deviation("initializer_range"))
      tiesHead = try config.bool("tie_word_embeddings")
      let bound = try config.positiveFloat("time_step_scale") / Float(stepRank).squareRoot()
      switch try config.string("time_step_init_scheme") {
      case "random": stepInitializer = .uniform(bound: bound)
      case "constant": stepInitializer = .constant(bound)
      case let scheme: throw config.fail("time_step_init_scheme", "unsupported scheme \"\(scheme)\"; it must be random or constant")
      }
      let (least, most) = (try config.positiveFloat("time_step_min"), try config.positiveFloat("time_step_max"))
      guard least < most else { throw config.fail("time_step_min", "is \(least); it must be below time_step_max, which is \(most)") }
      stepBiasInitializer = .inverseSoftplus(least..<most, least: try config.positiveFloat("time_step_floor"))
      let depth = try config.bool("rescale_prenorm_residual") ? Float(layers).squareRoot() : 1
      outputInitializer = .uniform(bound: 1 / (Float(channels).squareRoot() * depth))
    }
  }

  /// The parts of a model.
  /// - Parameter isHeadless: true where hidden states are all that is wanted: no head is asked for.
  /// - Throws: `WeightError` and what the source throws.
  static func parts(_ c: Configuration, isHeadless: Bool, in scope: Scope) throws -> CausalDecoder.Parts {
    let model = scope / "backbone"
    let tying = Tying(of: scope / "lm_head", to: model / "embeddings", isOn: c.tiesHead)
    let embedding = try Embedding(
      model / "embeddings", entries: c.vocabularySize, width: c.hiddenSize, role: .tokenEmbedding, initializer: c.initializer)
    let blocks = try (0..<c.layers).map { layer in
      let block = model / "layers" / layer
      let norm = try Norm(block / "norm", width: c.hiddenSize, epsilon: c.epsilon)
      return TransformerBlock(Residual(.before(norm), try mixer(block / "mixer", c)))
    }
    let norm = try Norm(model / "norm_f", width: c.hiddenSize, epsilon: c.epsilon)
    let head = try tying.head(over: embedding, isHeadless: isHeadless, c.initializer)
    return CausalDecoder.Parts(embedding: embedding, positions: .recurrence, blocks: blocks, norm: norm, head: head)
  }

  private static func mixer(_ scope: Scope, _ c: Configuration) throws -> MambaMixer {
    func linear(_ name: String, _ inputs: Int, _ outputs: Int, bias: Bool, _ role: Role, _ initializer: Initializer) throws -> Linear {
      try Linear(
        scope / name, in: inputs, out: outputs, bias: bias, role: role, initializer: initializer,
        biasInitializer: role == .stateStep ? c.stepBiasInitializer : .zeros)
    }
    let convolution = scope / "conv1d"
    let rates = try scope.parameter("A_log", [c.channels, c.stateSize], .columns((1...c.stateSize).map { log(Float($0)) }))
    let skip = try scope.parameter("D", [c.channels], .ones)
    let kernel = try convolution.parameter("weight", [c.channels, 1, c.kernel], .uniform(bound: 1 / Float(c.kernel).squareRoot()))
    let kernelBias = c.hasKernelBias ? try convolution.parameter("bias", [c.channels], .zeros) : nil
    let layers = MambaMixer.Layers(
      input: try linear("in_proj", c.hiddenSize, 2 * c.channels, bias: c.hasBias, .stateInput, c.initializer), kernel: kernel,
      kernelBias: kernelBias,
      parameters: try linear("x_proj", c.channels, c.stepRank + 2 * c.stateSize, bias: false, .stateParameters, c.initializer),
      step: try linear("dt_proj", c.stepRank, c.channels, bias: true, .stateStep, c.stepInitializer), rates: rates, skip: skip,
      output: try linear("out_proj", c.channels, c.hiddenSize, bias: c.hasBias, .stateOutput, c.outputInitializer))
    return MambaMixer(scope, layers, activation: try Nonlinearity(c.activation, in: scope / "act"))
  }
}
