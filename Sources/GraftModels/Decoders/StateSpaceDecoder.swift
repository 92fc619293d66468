import GraftBatching
import GraftLayers
import GraftTensors

/// Decoders of state spaces in the place of attention and feed-forward: Mamba and Mamba-2, which differ in their mixers alone.
enum StateSpaceDecoder {
  /// A family of them.
  /// - Parameters:
  ///   - keys: the keys that the family has beside those of all.
  ///   - mixer: makes a mixer of a resolved configuration, in the scope of its layer.
  static func family<Mixer>(
    _ modelType: String, classNames: ModelFamily.ClassNames, keys: [ConfigurationKey],
    read: @escaping @Sendable (ArchitectureConfiguration, Configuration) throws -> Mixer,
    mixer: @escaping @Sendable (Mixer, Configuration, Scope) throws -> any Sublayer
  ) -> ModelFamily {
    .decoder(
      modelType, classNames: classNames, tasks: [.causalLM], fixedStyle: .causal, configuration: ConfigurationKeys(.stateSpace + keys),
      tensors: TensorNames(
        base: "backbone", vocabulary: ["embeddings.weight", "lm_head.weight"],
        formerEnds: [.init("backbone.embeddings.weight", former: "backbone.embedding.weight")])
    ) { config, style, isHeadless, scope in
      let shared = try Configuration(config)
      let own = try read(config, shared)
      let parts = try parts(shared, isHeadless: isHeadless, in: scope) { try mixer(own, shared, $0) }
      return CausalDecoder(modelType, parts, style: style, catalog: scope.catalog)
    }
  }

  /// The sizes and options that all of them have.
  struct Configuration {
    var vocabularySize: Int, hiddenSize: Int, layers: Int
    /// The channels of a mixer as a multiple of the hidden size.
    var expansion: Float
    /// The rows that the convolution sees.
    var kernel: Int
    var hasBias: Bool, hasKernelBias: Bool
    var activation: NonlinearityName
    var epsilon: Float
    var tiesHead: Bool
    var initializer: Initializer, stepBiasInitializer: Initializer
    /// The layers whose number makes the initial outputs smaller; 1 where it does not.
    private var depth: Float

    /// - Parameter config: resolved for its family.
    /// - Throws: `ArchitectureError` for a value that is out of range, and for values that contradict each other.
    init(_ config: ArchitectureConfiguration) throws(ArchitectureError) {
      vocabularySize = try config.count("vocab_size")
      hiddenSize = try config.count("hidden_size")
      layers = try config.listCount("num_hidden_layers")
      expansion = try config.positiveFloat("expand")
      kernel = try config.count("conv_kernel")
      guard kernel >= 2 else { throw config.fail("conv_kernel", "is \(kernel); it must be at least 2") }
      hasBias = try config.bool("use_bias")
      hasKernelBias = try config.bool("use_conv_bias")
      activation = try config.activation("hidden_act")
      epsilon = try config.float("layer_norm_epsilon")
      tiesHead = try config.bool("tie_word_embeddings")
      initializer = .normal(standardDeviation: try config.deviation("initializer_range"))
      let (least, most) = (try config.positiveFloat("time_step_min"), try config.positiveFloat("time_step_max"))
      guard least < most else { throw config.fail("time_step_min", "is \(least); it must be below time_step_max, which is \(most)") }
      stepBiasInitializer = .inverseSoftplus(least..<most, least: try config.positiveFloat("time_step_floor"))
      depth = try config.bool("rescale_prenorm_residual") ? Float(layers).squareRoot() : 1
    }

    /// The initial values of a convolution's taps.
    var kernelInitializer: Initializer { .uniform(bound: 1 / Float(kernel).squareRoot()) }

    /// The initial values of a mixer's output layer.
    func outputInitializer(channels: Int) -> Initializer { .uniform(bound: 1 / (Float(channels).squareRoot() * depth)) }
  }

  /// The parts of a model.
  /// - Parameter isHeadless: true where hidden states are all that is wanted: no head is asked for.
  /// - Throws: `WeightError` and what the source throws.
  private static func parts(
    _ c: Configuration, isHeadless: Bool, in scope: Scope, mixer: (Scope) throws -> any Sublayer
  ) throws -> CausalDecoder.Parts {
    let model = scope / "backbone"
    let tying = Tying(of: scope / "lm_head", to: model / "embeddings", isOn: c.tiesHead)
    let embedding = try Embedding(
      model / "embeddings", entries: c.vocabularySize, width: c.hiddenSize, role: .tokenEmbedding, initializer: c.initializer)
    let blocks = try (0..<c.layers).map { layer in
      let block = model / "layers" / layer
      let norm = try Norm(block / "norm", width: c.hiddenSize, epsilon: c.epsilon)
      return TransformerBlock(at: block, Residual(.before(norm), try mixer(block / "mixer")))
    }
    let norm = try Norm(model / "norm_f", width: c.hiddenSize, epsilon: c.epsilon)
    let head = try tying.head(over: embedding, isHeadless: isHeadless, c.initializer)
    return CausalDecoder.Parts(embedding: embedding, positions: .recurrence, blocks: blocks, norm: norm, head: head)
  }
}

extension [ConfigurationKey] {
  /// The keys that all decoders of state spaces have.
  static let stateSpace: [ConfigurationKey] =
    decoder + [
      .size("vocab_size"), .size("hidden_size"), .size("num_hidden_layers"), .read("conv_kernel", 4), .read("expand", 2),
      .read("use_bias", false), .read("use_conv_bias", true), .read("hidden_act", "silu"), .read("layer_norm_epsilon", 1e-5),
      .read("initializer_range", 0.1), .read("rescale_prenorm_residual", false), .read("time_step_min", 0.001), .read("time_step_max", 0.1),
      .read("time_step_floor", 1e-4),
    ] + ConfigurationKey.withoutEffect("residual_in_fp32")
}
