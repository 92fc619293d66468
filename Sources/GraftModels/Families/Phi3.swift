import GraftJSON
import GraftLayers

extension ModelFamily {
  /// Phi-3: Llama with one projection for queries, keys and values and one for the feed-forward's halves, and LongRoPE
  /// (Abdin et al. 2024).
  public static let phi3 = RotaryDecoder.family(
    "phi3", classNames: "Phi3",
    configuration: ConfigurationKeys(
      .rotaryDecoder + [
        .read("num_key_value_heads", .null), .read("resid_pdrop", 0.0), .read("embd_pdrop", 0.0), .read("attention_dropout", 0.0),
        .read("max_position_embeddings", 4096), .read("original_max_position_embeddings", 4096), .read("rms_norm_eps", 1e-5),
        .read("pad_token_id", 32_000, orNull: true), .read("sliding_window", .null), .only("attention_chunk_size", .null),
      ]),
    gguf: GGUFForm(
      "phi3", blockModules: ["self_attn.qkv_proj": "attn_qkv", "mlp.gate_up_proj": "ffn_up"], hasLongRope: true,
      reading: GGUFReading(restore: restore)
    ) {
      try describe($0, $1, &$2, &$3)
    },
    read: { config in
      var c = try RotaryDecoder.Configuration(config.namingLongRope(), isPartial: true)
      c.residualDropout = try config.probability("resid_pdrop")
      c.embeddingDropout = try config.probability("embd_pdrop")
      return c
    }
  ) { try $0.preNormed(attention: { try $0.fusedAttention() }, feedForward: { try $0.fusedFeedForward() }) }

  /// The lengths and the factors of LongRoPE in a file of llama.cpp.
  @Sendable private static func restore(_ keys: GGUFKeys) throws -> [(String, JSON)] {
    var members: [(String, JSON)] = []
    if keys.contains("rope.scaling.original_context_length") {
      members.append(("original_max_position_embeddings", .integer(try keys.count("rope.scaling.original_context_length"))))
    }
    guard let short = try keys.vector("rope_factors_short.weight"), let long = try keys.vector("rope_factors_long.weight") else { return members }
    func numbers(_ factors: [Float]) -> JSON { .array(factors.map { .number(Double("\($0)") ?? Double($0)) }) }
    return members + [("rope_scaling", ["rope_type": "longrope", "short_factor": numbers(short), "long_factor": numbers(long)])]
  }

  /// Completes the description for llama.cpp with the lengths and the factors of LongRoPE.
  private static func describe(
    _ c: RotaryDecoder.Configuration, _ config: ArchitectureConfiguration, _ metadata: inout GGUFMetadata, _ model: inout GGUFModel
  ) throws {
    metadata.add("rope.scaling.original_context_length", try config.count("original_max_position_embeddings"))
    try GGUFForm.noteWindow(c, config, in: &model)
    guard case .longRope(let short, let long, _, let attentionFactor) = c.rotary[0].scaling else { return }
    metadata.add("rope.scaling.attn_factor", attentionFactor)
    model.vectors += [("rope_factors_long.weight", long), ("rope_factors_short.weight", short)]
  }
}

extension ArchitectureConfiguration {
  /// The configuration with the name `longrope` for those that LongRoPE had in older files.
  /// - Throws: `ArchitectureError` for another way of stretching positions.
  fileprivate func namingLongRope() throws(ArchitectureError) -> ArchitectureConfiguration {
    var json = json
    for key in ["rope_scaling", "rope_parameters"] {
      guard let settings = try section(key), settings.json.object?.isEmpty == false else { continue }
      switch try Self.rotaryType(settings) {
      case "default", "longrope": continue
      case "su", "yarn":
        var renamed = settings.json
        renamed["rope_type"] = "longrope"
        json[key] = renamed
      case let type: throw settings.fail("rope_type", "unsupported \"\(type)\" in phi3; it must be default or longrope")
      }
    }
    return ArchitectureConfiguration(json, source: source, isResolved: true)
  }
}
