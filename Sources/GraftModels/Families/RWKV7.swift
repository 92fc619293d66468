import Foundation
import GraftBatching
import GraftJSON
import GraftLayers
import GraftTensors

extension ModelFamily {
  /// RWKV-7 "Goose": a generalized delta rule in the place of attention (Peng et al. 2025), in the layout of flash-linear-attention, in
  /// which it is published for Transformers.
  public static let rwkv7 = ModelFamily.decoder(
    "rwkv7", classNames: "RWKV7", tasks: [.causalLM], fixedStyle: .causal,
    configuration: ConfigurationKeys(
      .decoder + [
        .size("vocab_size"), .size("hidden_size"), .size("num_hidden_layers"), .read("head_dim", 64, orNull: true), .optional("num_heads"),
        .read("hidden_ratio", 4, orNull: true), .read("intermediate_size", .null), .read("decay_low_rank_dim", 64, orNull: true),
        .read("gate_low_rank_dim", 128, orNull: true), .read("a_low_rank_dim", 64, orNull: true), .read("v_low_rank_dim", 16, orNull: true),
        .only("hidden_act", "sqrelu"), .read("norm_first", true), .read("norm_bias", true), .read("norm_eps", 1e-5), .only("attn", .null),
        .read("value_dim", .null), .read("tie_word_embeddings", false),
      ]
        + ConfigurationKey.withoutEffect(
          "attn_mode", "max_position_embeddings", "fuse_norm", "fuse_cross_entropy", "fuse_linear_cross_entropy", "use_l2warp",
          "initializer_range")),
    tensors: TensorNames(base: "model", vocabulary: ["embeddings.weight", "lm_head.weight"]),
    defaultTargets: DefaultTargets(projections: [.key, .value, .receptance, .attentionOutput, .up, .down])
  ) { config, style, isHeadless, scope in
    let parts = try RWKV7.parts(try RWKV7.Configuration(config), isHeadless: isHeadless, in: scope)
    return CausalDecoder("rwkv7", parts, style: style, catalog: scope.catalog)
  }
}

/// RWKV-7's configuration and blocks.
private enum RWKV7 {
  /// The sizes and options of a model.
  struct Configuration {
    var vocabularySize: Int, hiddenSize: Int, layers: Int
    var headSize: Int, intermediateSize: Int
    /// The channels between the two layers that make decays, in-context learning rates, shares of the first values, and gates.
    var decayRank: Int, rateRank: Int, valueRank: Int, gateRank: Int
    var normsEmbeddings: Bool, hasNormBias: Bool
    var epsilon: Float
    var tiesHead: Bool

    var heads: Int { hiddenSize / headSize }

    /// - Parameter config: resolved for the family.
    /// - Throws: `ArchitectureError` for a value that is out of range, and for values that contradict each other.
    init(_ config: ArchitectureConfiguration) throws(ArchitectureError) {
      vocabularySize = try config.count("vocab_size")
      hiddenSize = try config.count("hidden_size")
      layers = try config.listCount("num_hidden_layers")
      let heads = try config.optionalCount("num_heads")
      headSize = try config.count("head_dim", default: max(1, hiddenSize / (heads ?? max(1, hiddenSize / 64))))
      guard hiddenSize % headSize == 0 else { throw config.fail("head_dim", "heads of \(headSize) do not divide hidden_size \(hiddenSize)") }
      guard headSize <= DeltaRuleInputs.largestHeadSize else {
        throw config.fail("head_dim", "is \(headSize); it must be at most \(DeltaRuleInputs.largestHeadSize)")
      }
      let wide = (config.contains("hidden_ratio") ? try config.positiveFloat("hidden_ratio") : 4) * Float(hiddenSize)
      guard config.contains("intermediate_size") || 1..<1e9 ~= wide else {
        throw config.fail("hidden_ratio", "an intermediate size of \(wide) is out of range")
      }
      intermediateSize = config.contains("intermediate_size") ? try config.count("intermediate_size") : (Int(wide) + 31) / 32 * 32
      // What the layer takes where a configuration leaves them to it.
      let (root, factor) = (Float(hiddenSize).squareRoot(), Float(headSize) / 64)
      func rank(_ key: String, _ width: Float) throws(ArchitectureError) -> Int {
        try config.count(key, default: max(32, Int((width / 32).rounded(.toNearestOrEven)) * 32))
      }
      decayRank = try rank("decay_low_rank_dim", 2.5 * root * factor)
      rateRank = try rank("a_low_rank_dim", 2.5 * root * factor)
      valueRank = try rank("v_low_rank_dim", 1.7 * root * factor)
      gateRank = try rank("gate_low_rank_dim", 5 * root)
      (normsEmbeddings, hasNormBias) = (try config.bool("norm_first"), try config.bool("norm_bias"))
      epsilon = try config.float("norm_eps")
      tiesHead = try config.bool("tie_word_embeddings")
      let widths = config.json["value_dim"]
      guard (widths?.array ?? [widths ?? .null]).allSatisfy({ $0.isNull || $0.int == hiddenSize }) else {
        throw config.fail("value_dim", "unsupported value; it must be hidden_size \(hiddenSize)")
      }
    }
  }

  /// The parts of a model.
  /// - Parameter isHeadless: true where hidden states are all that is wanted: no head is asked for.
  /// - Throws: `WeightError` and what the source throws.
  static func parts(_ c: Configuration, isHeadless: Bool, in scope: Scope) throws -> CausalDecoder.Parts {
    let model = scope / "model"
    let tying = Tying(of: scope / "lm_head", to: model / "embeddings", isOn: c.tiesHead)
    let embedding = try Embedding(
      model / "embeddings", entries: c.vocabularySize, width: c.hiddenSize, role: .tokenEmbedding, initializer: .uniform(bound: 1e-4))
    let first = c.normsEmbeddings ? try norm(model / "layers" / 0 / "pre_norm", c) : nil
    let blocks = try (0..<c.layers).map { layer in
      let block = model / "layers" / layer
      let start = Start(layer: layer, c)
      return TransformerBlock(
        at: block, Residual(.before(try norm(block / "attn_norm", c)), try timeMixing(block / "attn", layer: layer, start, c)),
        Residual(.before(try norm(block / "ffn_norm", c)), try channelMixing(block / "ffn", start, c)))
    }
    let last = try norm(model / "norm", c)
    // The head starts with values as large as those of an orthogonal matrix.
    let gain = 0.5 * max(1, Float(c.vocabularySize) / Float(c.hiddenSize)).squareRoot()
    let deviation = gain / Float(max(c.vocabularySize, c.hiddenSize)).squareRoot()
    let head = try tying.head(over: embedding, isHeadless: isHeadless, .normal(standardDeviation: deviation))
    var parts = CausalDecoder.Parts(embedding: embedding, positions: .recurrence, blocks: blocks, norm: last, head: head)
    parts.embeddingNorm = first
    return parts
  }

  private static func norm(_ scope: Scope, _ c: Configuration) throws -> Norm {
    try Norm(scope, width: c.hiddenSize, epsilon: c.epsilon, kind: .layer, bias: c.hasNormBias)
  }

  private static func timeMixing(_ scope: Scope, layer: Int, _ start: Start, _ c: Configuration) throws -> DeltaTimeMixing {
    func square(_ name: String, _ role: Role, gain: Float) throws -> Linear {
      try linear(scope / name, c.hiddenSize, c.hiddenSize, role, gain: gain)
    }
    func lowRank(_ name: String, _ rank: Int, _ activation: Activation, bias: (() -> [Float])?) throws -> DeltaTimeMixing.LowRank {
      let both = scope / name / "lora"
      let up = try Linear(
        both / 2, in: rank, out: c.hiddenSize, bias: bias != nil,
        initializer: .normal(standardDeviation: 0.1 / Float(c.hiddenSize).squareRoot()), biasInitializer: bias.map { .columns($0()) } ?? .zeros)
      return DeltaTimeMixing.LowRank(
        down: try Linear(both / 0, in: c.hiddenSize, out: rank, initializer: .zeros), up: up, activation: activation)
    }
    func mix(_ name: String, power: Float) throws -> Parameter {
      try scope.parameter("x_\(name)", [1, 1, c.hiddenSize], .columns(start.mix(power: power * start.remaining)))
    }
    let (receptanceMix, decayMix, keyMix) = (try mix("r", power: 0.2), try mix("w", power: 0.9), try mix("k", power: 0.7))
    let (valueMix, rateMix, gateMix) = (try mix("v", power: 0.7), try mix("a", power: 0.9), try mix("g", power: 0.2))
    let removal = try scope.parameter("k_k", [c.hiddenSize], .columns(start.line(through: 0.71, slope: -0.1)))
    let keyRate = try scope.parameter("k_a", [c.hiddenSize], .constant(1.02))
    let bonus = try scope.parameter("r_k", [c.heads, c.headSize], .constant(-0.04))
    let normed = scope / "g_norm"
    let scale = pow(Float(layer + 1) / Float(c.layers), 0.7)
    let vectors = DeltaTimeMixing.Vectors(
      receptanceMix: receptanceMix, decayMix: decayMix, keyMix: keyMix, valueMix: valueMix, rateMix: rateMix, gateMix: gateMix, removal: removal,
      keyRate: keyRate, bonus: bonus,
      normWeight: try normed.parameter("weight", [c.hiddenSize], .constant(scale)),
      normBias: try normed.parameter("bias", [c.hiddenSize], .zeros))
    let layers = DeltaTimeMixing.Layers(
      receptance: try square("r_proj", .receptance, gain: 1), key: try square("k_proj", .key, gain: 0.1),
      value: try square("v_proj", .value, gain: 1), output: try square("o_proj", .attentionOutput, gain: 0),
      decay: try lowRank("w_lora", c.decayRank, .tanh, bias: start.decays), rate: try lowRank("a_lora", c.rateRank, .identity, bias: start.rates),
      gate: try lowRank("g_lora", c.gateRank, .sigmoid, bias: nil),
      firstValue: layer == 0 ? nil : try lowRank("v_lora", c.valueRank, .identity, bias: { start.line(through: 0.73, slope: -0.4) }))
    return DeltaTimeMixing(scope, layers, vectors, epsilon: Float(c.headSize) * c.epsilon)
  }

  private static func channelMixing(_ scope: Scope, _ start: Start, _ c: Configuration) throws -> ChannelMixing {
    let mix = try scope.parameter("x_k", [c.hiddenSize], .columns(start.mix(power: pow(start.remaining, 4))))
    return ChannelMixing(
      scope, key: (try linear(scope / "key", c.hiddenSize, c.intermediateSize, .up, gain: 1), mix),
      value: try linear(scope / "value", c.intermediateSize, c.hiddenSize, .down, gain: 0), receptance: nil, share: .previous)
  }

  /// A layer with values as large as those of the orthogonal matrix that it is usually started from, or with zeros.
  private static func linear(_ scope: Scope, _ inputs: Int, _ outputs: Int, _ role: Role, gain: Float) throws -> Linear {
    let deviation = gain / Float(max(inputs, outputs)).squareRoot()
    return try Linear(scope, in: inputs, out: outputs, role: role, initializer: gain == 0 ? .zeros : .normal(standardDeviation: deviation))
  }

  /// The vectors that a block starts with, by its depth (Peng et al. 2025, appendix E).
  private struct Start {
    /// From 1 at the first layer to almost 0 at the last.
    let remaining: Float
    /// From 0 at the first layer to 1 at the last.
    private let depth: Float
    private let width: Int, headSize: Int

    init(layer: Int, _ c: Configuration) {
      depth = Float(layer) / Float(max(1, c.layers - 1))
      remaining = 1 - Float(layer) / Float(c.layers)
      (width, headSize) = (c.hiddenSize, c.headSize)
    }

    /// The biases of decays.
    func decays() -> [Float] { (0..<width).map { -5.5 + 6 * pow(place($0), 1 + pow(depth, 0.3)) + 2.5 * zigzag($0) } }

    /// The biases of in-context learning rates.
    func rates() -> [Float] { (0..<width).map { -0.19 + 0.3 * zigzag($0) + 0.4 * (place($0) - 0.5) } }

    /// Numbers that fall or rise evenly over the channels.
    /// - Parameter middle: the number in the middle.
    func line(through middle: Float, slope: Float) -> [Float] { (0..<width).map { middle + slope * (place($0) - 0.5) } }

    /// The shares of the row before a token's own.
    func mix(power: Float) -> [Float] { (0..<width).map { 1 - pow(Float($0) / Float(width), power) } }

    /// From 0 at the first channel to 1 at the last.
    private func place(_ channel: Int) -> Float { Float(channel) / Float(max(1, width - 1)) }

    /// From -1 at the first channel of a head to 1 at its last, flat in the middle.
    private func zigzag(_ channel: Int) -> Float {
      let half = Float(max(1, headSize - 1)) / 2
      let place = (Float(channel % headSize) - half) / half
      return place * abs(place)
    }
  }
}
