import Foundation
import GraftBatching
import GraftLayers
import GraftTensors

extension ModelFamily {
  /// RWKV-4: a fading mean of values in the place of attention (Peng et al. 2023).
  public static let rwkv = ModelFamily.decoder(
    "rwkv", classNames: "Rwkv", tasks: [.causalLM], fixedStyle: .causal,
    configuration: ConfigurationKeys(
      .decoder + [
        .size("vocab_size"), .size("hidden_size"), .size("num_hidden_layers"), .read("attention_hidden_size", .null),
        .read("intermediate_size", .null), .read("layer_norm_epsilon", 1e-5), .read("rescale_every", 6), .read("tie_word_embeddings", false),
      ] + ConfigurationKey.withoutEffect("context_length"), synonyms: ["max_position_embeddings": "context_length"]),
    tensors: TensorNames(base: "rwkv", vocabulary: ["embeddings.weight", "head.weight"]),
    defaultTargets: DefaultTargets(projections: [.key, .value, .receptance, .attentionOutput, .up, .down])
  ) { config, style, isHeadless, scope in
    let parts = try RWKV.parts(try RWKV.Configuration(config), isHeadless: isHeadless, in: scope)
    return CausalDecoder("rwkv", parts, style: style, catalog: scope.catalog)
  }
}

/// RWKV's configuration and blocks.
private enum RWKV {
  /// The sizes and options of a model.
  struct Configuration {
    var vocabularySize: Int, hiddenSize: Int, layers: Int
    /// The channels of a time mixing, and the intermediate size of a channel mixing.
    var channels: Int, intermediateSize: Int
    var epsilon: Float
    /// The layers after which states are halved outside training; nil for none.
    var halvedEvery: Int?
    var tiesHead: Bool

    /// - Parameter config: resolved for the family.
    /// - Throws: `ArchitectureError` for a value that is out of range.
    init(_ config: ArchitectureConfiguration) throws(ArchitectureError) {
      vocabularySize = try config.count("vocab_size")
      hiddenSize = try config.count("hidden_size")
      layers = try config.listCount("num_hidden_layers")
      channels = try config.count("attention_hidden_size", default: hiddenSize)
      intermediateSize = try config.count("intermediate_size", default: 4 * hiddenSize)
      epsilon = try config.float("layer_norm_epsilon")
      let period = try config.int("rescale_every")
      halvedEvery = period > 0 ? period : nil
      tiesHead = try config.bool("tie_word_embeddings")
    }

    /// The epsilon of a norm outside training.
    ///
    /// Transformers halves the states after some layers there, so that 16 bits can hold them. The norm of halved states is that of the whole
    /// ones with four times the epsilon, to the bit: so ours stay whole.
    /// - Parameter layers: the number of layers before the norm.
    func inferenceEpsilon(_ epsilon: Float, behind layers: Int) -> Float {
      halvedEvery.map { epsilon * exp2(Float(2 * (layers / $0))) } ?? epsilon
    }
  }

  /// The parts of a model.
  /// - Parameter isHeadless: true where hidden states are all that is wanted: no head is asked for.
  /// - Throws: `WeightError` and what the source throws.
  static func parts(_ c: Configuration, isHeadless: Bool, in scope: Scope) throws -> CausalDecoder.Parts {
    let model = scope / "rwkv"
    let tying = Tying(of: scope / "head", to: model / "embeddings", isOn: c.tiesHead)
    let embedding = try Embedding(
      model / "embeddings", entries: c.vocabularySize, width: c.hiddenSize, role: .tokenEmbedding, initializer: .normal(standardDeviation: 1e-4))
    let first = try Norm(model / "blocks" / 0 / "pre_ln", width: c.hiddenSize, epsilon: c.epsilon, kind: .layer, bias: true)
    let blocks = try (0..<c.layers).map { try block(model / "blocks" / $0, layer: $0, c) }
    let epsilon: Float = 1e-5
    let norm = try Norm(
      model / "ln_out", width: c.hiddenSize, epsilon: epsilon, inferenceEpsilon: c.inferenceEpsilon(epsilon, behind: c.layers), kind: .layer,
      bias: true)
    let head = try tying.head(
      over: embedding, isHeadless: isHeadless, .normal(standardDeviation: 0.5 / Float(c.hiddenSize).squareRoot()))
    var parts = CausalDecoder.Parts(embedding: embedding, positions: .recurrence, blocks: blocks, norm: norm, head: head)
    parts.embeddingNorm = first
    return parts
  }

  private static func block(_ scope: Scope, layer: Int, _ c: Configuration) throws -> TransformerBlock {
    func norm(_ name: String) throws -> Norm {
      try Norm(
        scope / name, width: c.hiddenSize, epsilon: c.epsilon, inferenceEpsilon: c.inferenceEpsilon(c.epsilon, behind: layer), kind: .layer,
        bias: true)
    }
    let timeNorm = try norm("ln1")
    let channelNorm = try norm("ln2")
    let time = try timeMixing(scope / "attention", Start(layer: layer, c), c)
    let channel = try channelMixing(scope / "feed_forward", Start(layer: layer, c), c)
    return TransformerBlock(at: scope, Residual(.before(timeNorm), time), Residual(.before(channelNorm), channel))
  }

  private static func timeMixing(_ scope: Scope, _ start: Start, _ c: Configuration) throws -> TimeMixing {
    func mix(_ name: String, _ values: @autoclosure () -> [Float]) throws -> Parameter {
      try scope.parameter("time_mix_\(name)", [1, 1, c.hiddenSize], .columns(values()))
    }
    let decay = try scope.parameter("time_decay", [c.channels], .columns(start.decays()))
    let first = try scope.parameter("time_first", [c.channels], .ones)
    let mixes = (try mix("key", start.mix()), try mix("value", start.mix(plus: 0.3 * start.depth)), try mix("receptance", start.mix(power: 0.5)))
    return TimeMixing(
      scope,
      TimeMixing.Layers(
        key: try linear(scope / "key", c.hiddenSize, c.channels, .key), value: try linear(scope / "value", c.hiddenSize, c.channels, .value),
        receptance: try linear(scope / "receptance", c.hiddenSize, c.channels, .receptance),
        output: try linear(scope / "output", c.channels, c.hiddenSize, .attentionOutput), keyMix: mixes.0, valueMix: mixes.1,
        receptanceMix: mixes.2, decay: decay, first: first))
  }

  private static func channelMixing(_ scope: Scope, _ start: Start, _ c: Configuration) throws -> ChannelMixing {
    func mix(_ name: String) throws -> Parameter { try scope.parameter("time_mix_\(name)", [1, 1, c.hiddenSize], .columns(start.mix())) }
    let mixes = (try mix("key"), try mix("receptance"))
    return ChannelMixing(
      scope, key: (try linear(scope / "key", c.hiddenSize, c.intermediateSize, .up), mixes.0),
      value: try linear(scope / "value", c.intermediateSize, c.hiddenSize, .down),
      receptance: (try linear(scope / "receptance", c.hiddenSize, c.hiddenSize, .receptance), mixes.1))
  }

  /// A layer with values as large as those of the orthogonal matrix that Transformers starts from.
  private static func linear(_ scope: Scope, _ inputs: Int, _ outputs: Int, _ role: Role) throws -> Linear {
    try Linear(scope, in: inputs, out: outputs, role: role, initializer: .normal(standardDeviation: 1 / Float(inputs).squareRoot()))
  }

  /// The vectors that a block starts with, by its depth (Peng et al. 2023, appendix E).
  private struct Start {
    /// From 0 at the first layer to 1 at the last.
    let depth: Float
    private let remaining: Float
    private let width: Int, channels: Int

    init(layer: Int, _ c: Configuration) {
      depth = Float(layer) / Float(max(1, c.layers - 1))
      (width, channels) = (c.hiddenSize, c.channels)
      remaining = 1 - Float(layer) / Float(c.layers)
    }

    /// The logarithms of the rates at which tokens fade.
    func decays() -> [Float] {
      let last = Float(max(1, channels - 1))
      return (0..<channels).map { -5 + 8 * pow(Float($0) / last, 0.7 + 1.3 * depth) }
    }

    /// The shares of a token's own row.
    func mix(power: Float = 1, plus more: Float = 0) -> [Float] { (0..<width).map { pow(Float($0) / Float(width), power * remaining) + more } }
  }
}
