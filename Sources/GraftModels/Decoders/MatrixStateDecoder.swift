import Foundation
import GraftBatching
import GraftLayers
import GraftTensors

/// RWKV-5 and 6, which differ in the rows that layers read and in their decays alone.
enum MatrixStateDecoder {
  /// A family of them.
  /// - Parameters:
  ///   - share: the row whose shares channel mixings hold, under this beginning of their names.
  ///   - shift: makes the rows that a time mixing reads, in its scope.
  ///   - decayShape: the shape of the decays.
  static func family(
    _ modelType: String, classNames: ModelFamily.ClassNames, keys: [ConfigurationKey] = [], share: (row: ShiftedShare, prefix: String),
    decayShape: @escaping @Sendable (Configuration) -> Shape,
    shift: @escaping @Sendable (Scope, Start, Configuration) throws -> MatrixTimeMixing.Shift
  ) -> ModelFamily {
    .decoder(
      modelType, classNames: classNames, tasks: [.causalLM], fixedStyle: .causal,
      configuration: ConfigurationKeys(
        .decoder + [
          .size("vocab_size"), .size("hidden_size"), .size("num_hidden_layers"), .read("head_size", 64), .read("head_size_divisor", 8),
          .read("attention_hidden_size", .null), .read("intermediate_size", .null), .read("layer_norm_epsilon", 1e-5),
          .read("tie_word_embeddings", false),
        ] + keys + ConfigurationKey.withoutEffect("rescale_every", "context_length")),
      tensors: TensorNames(base: "rwkv", vocabulary: ["embeddings.weight", "head.weight"]),
      defaultTargets: DefaultTargets(projections: [.key, .value, .receptance, .gate, .attentionOutput, .up, .down])
    ) { config, style, isHeadless, scope in
      let c = try Configuration(config)
      let parts = try parts(c, isHeadless: isHeadless, in: scope) { block, layer in
        let start = Start(layer: layer, c)
        let time = try timeMixing(block / "attention", start, c, decay: decayShape(c)) { try shift($0, start, c) }
        return (time, try channelMixing(block / "feed_forward", start, c, share: share))
      }
      return CausalDecoder(modelType, parts, style: style, catalog: scope.catalog)
    }
  }

  /// The sizes and options of a model.
  struct Configuration {
    var vocabularySize: Int, hiddenSize: Int, layers: Int
    var headSize: Int, intermediateSize: Int
    var epsilon: Float
    /// The epsilon of the norm of every head.
    var headEpsilon: Float
    var tiesHead: Bool

    var heads: Int { hiddenSize / headSize }

    /// - Parameter config: resolved for its family.
    /// - Throws: `ArchitectureError` for a value that is out of range, and for values that contradict each other.
    init(_ config: ArchitectureConfiguration) throws(ArchitectureError) {
      vocabularySize = try config.count("vocab_size")
      hiddenSize = try config.count("hidden_size")
      layers = try config.listCount("num_hidden_layers")
      headSize = try config.count("head_size")
      guard hiddenSize % headSize == 0 else { throw config.fail("head_size", "heads of \(headSize) do not divide hidden_size \(hiddenSize)") }
      guard headSize <= MatrixKeyValueInputs.largestHeadSize else {
        throw config.fail("head_size", "is \(headSize); it must be at most \(MatrixKeyValueInputs.largestHeadSize)")
      }
      guard try config.count("attention_hidden_size", default: hiddenSize) == hiddenSize else {
        throw config.fail("attention_hidden_size", "unsupported value; it must be hidden_size \(hiddenSize)")
      }
      intermediateSize = try config.count("intermediate_size", default: max(32, hiddenSize * 7 / 2 / 32 * 32))
      epsilon = try config.float("layer_norm_epsilon")
      // What is normed is divided by it first, which is the same.
      let divisor = try config.positiveFloat("head_size_divisor")
      headEpsilon = 1e-5 * divisor * divisor
      tiesHead = try config.bool("tie_word_embeddings")
    }
  }

  /// The parts of a model.
  /// - Parameters:
  ///   - isHeadless: true where hidden states are all that is wanted: no head is asked for.
  ///   - mixings: makes the two sublayers of a block.
  /// - Throws: `WeightError` and what the source throws.
  private static func parts(
    _ c: Configuration, isHeadless: Bool, in scope: Scope, mixings: (Scope, _ layer: Int) throws -> (time: any Sublayer, channel: any Sublayer)
  ) throws -> CausalDecoder.Parts {
    let model = scope / "rwkv"
    let tying = Tying(of: scope / "head", to: model / "embeddings", isOn: c.tiesHead)
    func norm(_ scope: Scope) throws -> Norm { try Norm(scope, width: c.hiddenSize, epsilon: c.epsilon, kind: .layer, bias: true) }
    let embedding = try Embedding(
      model / "embeddings", entries: c.vocabularySize, width: c.hiddenSize, role: .tokenEmbedding, initializer: .uniform(bound: 1e-4))
    let first = try norm(model / "blocks" / 0 / "pre_ln")
    let blocks = try (0..<c.layers).map { layer in
      let block = model / "blocks" / layer
      let (timeNorm, channelNorm) = (try norm(block / "ln1"), try norm(block / "ln2"))
      let (time, channel) = try mixings(block, layer)
      return TransformerBlock(at: block, Residual(.before(timeNorm), time), Residual(.before(channelNorm), channel))
    }
    let last = try norm(model / "ln_out")
    // The head starts with values as large as those of an orthogonal matrix.
    let head = try tying.head(
      over: embedding, isHeadless: isHeadless, .normal(standardDeviation: 0.5 / Float(c.hiddenSize).squareRoot()))
    var parts = CausalDecoder.Parts(embedding: embedding, positions: .recurrence, blocks: blocks, norm: last, head: head)
    parts.embeddingNorm = first
    return parts
  }

  private static func timeMixing(
    _ scope: Scope, _ start: Start, _ c: Configuration, decay: Shape, shift: (Scope) throws -> MatrixTimeMixing.Shift
  ) throws -> MatrixTimeMixing {
    func square(_ name: String, _ role: Role) throws -> Linear { try linear(scope / name, c.hiddenSize, c.hiddenSize, role) }
    let shift = try shift(scope)
    let normed = scope / "ln_x"
    let vectors = MatrixTimeMixing.Vectors(
      decay: try scope.parameter("time_decay", decay, .columns(start.decays(decay.columns))),
      bonus: try scope.parameter("time_faaaa", [c.heads, c.headSize], .constant(0.1)),
      normWeight: try normed.parameter("weight", [c.hiddenSize], .ones), normBias: try normed.parameter("bias", [c.hiddenSize], .zeros))
    let layers = MatrixTimeMixing.Layers(
      receptance: try square("receptance", .receptance), key: try square("key", .key), value: try square("value", .value),
      gate: try square("gate", .gate), output: try square("output", .attentionOutput))
    return MatrixTimeMixing(scope, layers, shift, vectors, epsilon: c.headEpsilon)
  }

  private static func channelMixing(
    _ scope: Scope, _ start: Start, _ c: Configuration, share: (row: ShiftedShare, prefix: String)
  ) throws -> ChannelMixing {
    let names = share.row == .own ? ("key", "receptance") : ("k", "r")
    func mix(_ name: String) throws -> Parameter {
      try scope.parameter("\(share.prefix)\(name)", [1, 1, c.hiddenSize], .columns(start.shares(of: share.row)))
    }
    return ChannelMixing(
      scope, key: (try linear(scope / "key", c.hiddenSize, c.intermediateSize, .up), try mix(names.0)),
      value: try linear(scope / "value", c.intermediateSize, c.hiddenSize, .down),
      receptance: (try linear(scope / "receptance", c.hiddenSize, c.hiddenSize, .receptance), try mix(names.1)), share: share.row)
  }

  /// A layer with values as large as those of the orthogonal matrix that it is usually started from.
  private static func linear(_ scope: Scope, _ inputs: Int, _ outputs: Int, _ role: Role) throws -> Linear {
    try Linear(scope, in: inputs, out: outputs, role: role, initializer: .normal(standardDeviation: 1 / Float(max(inputs, outputs)).squareRoot()))
  }

  /// The vectors that a block starts with, by its depth (Peng et al. 2024, appendix E).
  struct Start {
    /// From 0 at the first layer to 1 at the last.
    let depth: Float
    private let remaining: Float
    private let width: Int

    init(layer: Int, _ c: Configuration) {
      depth = Float(layer) / Float(max(1, c.layers - 1))
      remaining = 1 - Float(layer) / Float(c.layers)
      width = c.hiddenSize
    }

    /// The logarithms of the rates of decay, from the slowest channel to the fastest.
    func decays(_ count: Int) -> [Float] {
      let last = Float(max(1, count - 1))
      return (0..<count).map { -6 + 5 * pow(Float($0) / last, 0.7 + 1.3 * depth) }
    }

    /// The shares of a token's own row, or of the one before it.
    func shares(of row: ShiftedShare, power: Float = 1, plus more: Float = 0) -> [Float] {
      let own = (0..<width).map { pow(Float($0) / Float(width), power * remaining) + more }
      return row == .own ? own : own.map { 1 - $0 }
    }
  }
}
