import GraftCheckpoints
import GraftJSON
import GraftLayers
import GraftTensors

/// A family of rotary decoders in llama.cpp: its architecture, and in what that differs from Llama's.
public struct GGUFForm: Sendable {
  /// llama.cpp's name of the architecture, such as `llama`.
  public var name: String
  /// llama.cpp's names of a block's modules.
  public var blockModules: [String: String]
  /// True where the rows of queries and keys stand in the order of interleaved rotary pairs.
  public var interleavesPairs: Bool
  /// The only activation that the architecture has, and its key's value.
  public var activation: (NonlinearityName, String)
  /// The number added to the weights of norms.
  public var normOffset: Float
  /// True where the architecture has the factors of LongRoPE.
  public var hasLongRope: Bool
  /// The way back from a file, which adds what it says beside Llama's keys.
  public var reading: GGUFReading
  /// Completes the description; throws `ArchitectureError` where the model computes something that llama.cpp would not.
  public var complete: Completion

  /// Completes a description by what a configuration has beside Llama's keys.
  public typealias Completion =
    @Sendable (RotaryDecoder.Configuration, ArchitectureConfiguration, _ metadata: inout GGUFMetadata, _ model: inout GGUFModel) throws -> Void

  /// The names of the modules of Llama's block.
  public static let llamaModules = [
    "input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm", "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output", "self_attn.q_norm": "attn_q_norm", "self_attn.k_norm": "attn_k_norm",
    "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down",
  ]

  /// - Parameters:
  ///   - blockModules: the names in which a block differs from Llama's.
  ///   - reading: the way back from a file, which adds what it says beside Llama's keys.
  public init(
    _ name: String, blockModules: [String: String] = [:], interleavesPairs: Bool = false,
    activation: (NonlinearityName, String) = (.fixed(.silu), "silu"), normOffset: Float = 0,
    hasLongRope: Bool = false, reading: GGUFReading = GGUFReading { _ in [] }, complete: @escaping Completion = { _, _, _, _ in }
  ) {
    self.reading = reading
    self.name = name
    self.blockModules = Self.llamaModules.merging(blockModules) { _, own in own }
    self.interleavesPairs = interleavesPairs
    self.activation = activation
    self.normOffset = normOffset
    self.hasLongRope = hasLongRope
    self.complete = complete
  }

  /// - Parameter read: reads a resolved configuration.
  func architecture(_ read: @escaping @Sendable (ArchitectureConfiguration) throws -> RotaryDecoder.Configuration) -> GGUFArchitecture {
    GGUFArchitecture(
      name, blocks: "model.layers", blockModules: blockModules,
      modules: ["model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output"],
      reorderedModules: interleavesPairs ? ["self_attn.q_proj", "self_attn.k_proj"] : [],
      order: { module, config in
        let c = try read(config)
        return GGUFModel.interleavedPairs(heads: module == "self_attn.q_proj" ? c.heads : c.keyValueHeads, size: c.headSize)
      }, reading: GGUFReading(isDescribed: reading.isDescribed) { keys in try members(keys) + reading.restore(keys) },
      describe: { config, architecture in try model(try read(config), config, architecture) })
  }

  /// The model as llama.cpp's converter describes it.
  private func model(_ c: RotaryDecoder.Configuration, _ config: ArchitectureConfiguration, _ architecture: GGUFArchitecture) throws -> GGUFModel {
    guard c.activation == activation.0 else { throw config.withoutCounterpart("hidden_act other than \(activation.1)") }
    let length = try config.count("max_position_embeddings")
    var metadata = GGUFMetadata(architecture)
    metadata.add("vocab_size", c.vocabularySize)
    metadata.add("block_count", c.layers)
    metadata.add("context_length", length)
    metadata.add("embedding_length", c.hiddenSize)
    metadata.add("feed_forward_length", c.intermediateSize)
    metadata.add("attention.head_count", c.heads)
    metadata.add("attention.head_count_kv", c.keyValueHeads)
    metadata.add("attention.key_length", c.headSize)
    metadata.add("attention.value_length", c.headSize)
    metadata.add("attention.layer_norm_rms_epsilon", c.epsilon)
    try metadata.add(c.rotary[0], config, hasLongRope: hasLongRope)
    if let window = c.windows.compactMap(\.self).min() { metadata.add("attention.sliding_window", window) }
    var model = GGUFModel(metadata: [])
    model.normOffset = normOffset
    if let factors = c.rotary[0].ggufFactors { model.vectors.append(("rope_freqs.weight", factors)) }
    try complete(c, config, &metadata, &model)
    model.metadata = metadata.entries
    return model
  }

  /// The members of a `config.json` that Llama's keys tell.
  private func members(_ keys: GGUFKeys) throws -> [(String, JSON)] {
    let (width, heads) = (try keys.count("embedding_length"), try keys.count("attention.head_count"))
    guard heads > 0 else { throw keys.fail("attention.head_count", "is 0; fetch the file again") }
    let headSize = try keys.count("attention.key_length", default: width / heads)
    var members: [(String, JSON)] = [
      ("hidden_size", .integer(width)), ("intermediate_size", .integer(try keys.count("feed_forward_length"))),
      ("num_hidden_layers", .integer(try keys.count("block_count"))), ("num_attention_heads", .integer(heads)),
      ("num_key_value_heads", .integer(try keys.count("attention.head_count_kv", default: heads))), ("head_dim", .integer(headSize)),
      ("max_position_embeddings", .integer(try keys.count("context_length"))), ("hidden_act", .string(activation.1)),
      ("hidden_activation", .string(activation.1)), ("rms_norm_eps", try keys.number("attention.layer_norm_rms_epsilon")),
      ("attention_bias", .bool(keys.hasTensor("blk.0.attn_q.bias"))), ("mlp_bias", .bool(keys.hasTensor("blk.0.ffn_down.bias"))),
    ]
    members += try keys.rotary(headSize: headSize)
    if keys.contains("attention.sliding_window") { members.append(("sliding_window", .integer(try keys.count("attention.sliding_window")))) }
    return members
  }

  /// Refuses biases of attention, or of the feed-forward.
  static func requireNoBias(_ c: RotaryDecoder.Configuration, _ config: ArchitectureConfiguration, in name: String) throws(ArchitectureError) {
    guard !c.hasInputBias, !c.hasOutputBias, !c.hasFeedForwardBias else { throw config.withoutCounterpart("a bias in \(name)") }
  }

  /// Refuses a head of its own, where the architecture has none.
  static func requireTie(_ c: RotaryDecoder.Configuration, _ config: ArchitectureConfiguration) throws(ArchitectureError) {
    guard c.tiesHead else { throw config.withoutCounterpart("a head apart from the embedding") }
  }

  /// Notes a window that llama.cpp does not look through.
  static func noteWindow(_ c: RotaryDecoder.Configuration, _ config: ArchitectureConfiguration, in model: inout GGUFModel) throws(ArchitectureError) {
    guard let window = c.windows.compactMap(\.self).min(), window < (try config.count("max_position_embeddings")) else { return }
    model.notes.append("llama.cpp attends to everything here, the model to the last \(window) tokens: results differ beyond \(window) tokens")
  }
}
