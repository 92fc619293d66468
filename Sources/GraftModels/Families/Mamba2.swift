import Foundation
import GraftBatching
import GraftJSON
import GraftLayers
import GraftTensors

extension ModelFamily {
  /// Mamba-2: state spaces whose states fade by one factor a head, in the place of attention and feed-forward (Dao and Gu 2024).
  public static let mamba2 = ModelFamily.decoder(
    "mamba2", classNames: "Mamba2", tasks: [.causalLM], fixedStyle: .causal,
    configuration: ConfigurationKeys(
      .decoder + [
        .size("vocab_size"), .size("hidden_size"), .size("num_hidden_layers"), .read("num_heads", 128), .read("head_dim", 64),
        .read("state_size", 128), .read("n_groups", 8), .read("conv_kernel", 4), .read("expand", 2), .read("use_bias", false),
        .read("use_conv_bias", true), .read("hidden_act", "silu"), .read("layer_norm_epsilon", 1e-5), .read("initializer_range", 0.1),
        .read("rescale_prenorm_residual", false), .read("time_step_min", 0.001), .read("time_step_max", 0.1), .read("time_step_floor", 1e-4),
        .read("time_step_limit", [0.0, .number(.infinity)]), .read("tie_word_embeddings", false), .read("pad_token_id", 1, orNull: true),
      ] + ConfigurationKey.withoutEffect("residual_in_fp32", "chunk_size", "time_step_rank")),
    tensors: TensorNames(
      base: "backbone", vocabulary: ["embeddings.weight", "lm_head.weight"],
      formerEnds: [.init("backbone.embeddings.weight", former: "backbone.embedding.weight")])
  ) { config, style, isHeadless, scope in
    let parts = try Mamba2.parts(try Mamba2.Configuration(config), isHeadless: isHeadless, in: scope)
    return CausalDecoder("mamba2", parts, style: style, catalog: scope.catalog)
  }
}

/// Mamba-2's configuration and blocks.
private enum Mamba2 {
  /// The sizes and options of a model.
  struct Configuration {
    var vocabularySize: Int, hiddenSize: Int, layers: Int
    /// The channels of a mixer are those of all heads; a group of heads shares its inputs and outputs, of as many numbers as a state's column.
    var heads: Int, headSize: Int, groups: Int, stateSize: Int
    var kernel: Int
    var hasBias: Bool, hasKernelBias: Bool
    var activation: NonlinearityName
    var epsilon: Float
    var stepLimits: ClosedRange<Float>
    var initializer: Initializer, stepBiasInitializer: Initializer, outputInitializer: Initializer
    var tiesHead: Bool

    var channels: Int { heads * headSize }
    /// The channels that the convolution runs over.
    var convolved: Int { channels + 2 * groups * stateSize }

    /// - Parameter config: resolved for the family.
    /// - Throws: `ArchitectureError` for a value that is out of range, and for values that contradict each other.
    init(_ config: ArchitectureConfiguration) throws(ArchitectureError) {
      vocabularySize = try config.count("vocab_size")
      hiddenSize = try config.count("hidden_size")
      layers = try config.listCount("num_hidden_layers")
      (heads, headSize) = (try config.count("num_heads"), try config.count("head_dim"))
      (groups, stateSize) = (try config.count("n_groups"), try config.count("state_size"))
      let expansion = try config.positiveFloat("expand")
      guard expansion * Float(hiddenSize) == Float(heads) * Float(headSize) else {
        throw config.fail("num_heads", "\(heads) heads of \(headSize) channels are not \(expansion) times hidden_size \(hiddenSize)")
      }
      guard heads * headSize < 1_000_000_000, groups * stateSize < 1_000_000_000 else {
        throw config.fail("state_size", "\(heads) heads of \(headSize) channels and \(groups) groups of \(stateSize) numbers are out of range")
      }
      guard heads % groups == 0 else { throw config.fail("n_groups", "\(groups) groups do not divide \(heads) heads") }
      kernel = try config.count("conv_kernel")
      guard kernel >= 2 else { throw config.fail("conv_kernel", "is \(kernel); it must be at least 2") }
      (hasBias, hasKernelBias) = (try config.bool("use_bias"), try config.bool("use_conv_bias"))
      activation = try config.activation("hidden_act")
      epsilon = try config.float("layer_norm_epsilon")
      stepLimits = try Self.stepLimits(config)
      initializer = .normal(standardDeviation: try config.deviation("initializer_range"))
      tiesHead = try config.bool("tie_word_embeddings")
      let (least, most) = (try config.positiveFloat("time_step_min"), try config.positiveFloat("time_step_max"))
      guard least < most else { throw config.fail("time_step_min", "is \(least); it must be below time_step_max, which is \(most)") }
      stepBiasInitializer = .inverseSoftplus(least..<most, least: try config.positiveFloat("time_step_floor"))
      let depth = try config.bool("rescale_prenorm_residual") ? Float(layers).squareRoot() : 1
      outputInitializer = .uniform(bound: 1 / (Float(expansion * Float(hiddenSize)).squareRoot() * depth))
    }

    /// The bounds of the sizes of steps, of which the upper one may be infinite.
    private static func stepLimits(_ config: ArchitectureConfiguration) throws(ArchitectureError) -> ClosedRange<Float> {
      let key = "time_step_limit"
      let limits = (config.json[key]?.array ?? []).compactMap(\.double).map { Float($0) }
      guard limits.count == 2, limits[0] >= 0, limits[0] <= limits[1] else {
        throw config.fail(key, "it must be a list of two numbers, the least and the most")
      }
      return limits[0]...limits[1]
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

  private static func mixer(_ scope: Scope, _ c: Configuration) throws -> StructuredMixer {
    let convolution = scope / "conv1d"
    let stepBias = try scope.parameter("dt_bias", [c.heads], c.stepBiasInitializer)
    let rates = try scope.parameter("A_log", [c.heads], .columns((1...c.heads).map { log(Float($0)) }))
    let skip = try scope.parameter("D", [c.heads], .ones)
    let kernel = try convolution.parameter("weight", [c.convolved, 1, c.kernel], .uniform(bound: 1 / Float(c.kernel).squareRoot()))
    let kernelBias = c.hasKernelBias ? try convolution.parameter("bias", [c.convolved], .zeros) : nil
    let input = try Linear(
      scope / "in_proj", in: c.hiddenSize, out: c.channels + c.convolved + c.heads, bias: c.hasBias, role: .stateInput,
      initializer: c.initializer)
    let norm = try (scope / "norm").parameter("weight", [c.channels], .ones)
    let output = try Linear(
      scope / "out_proj", in: c.channels, out: c.hiddenSize, bias: c.hasBias, role: .stateOutput, initializer: c.outputInitializer)
    let layers = StructuredMixer.Layers(
      input: input, kernel: kernel, kernelBias: kernelBias, stepBias: stepBias, rates: rates, skip: skip, normWeight: norm, output: output)
    return StructuredMixer(
      scope, layers, StructuredMixer.Options(groups: c.groups, steps: c.stepLimits, epsilon: c.epsilon),
      activation: try Nonlinearity(c.activation, in: scope / "act"))
  }
}
