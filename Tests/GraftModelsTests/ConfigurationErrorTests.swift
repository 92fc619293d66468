import GraftJSON
import GraftLayers
import GraftModels
import GraftTestSupport
import Testing

@Suite("What a configuration cannot mean is refused, and nothing in it traps")
struct ConfigurationErrorTests {
  private func fixture(_ name: String) throws -> ConfigurationFixture { try ConfigurationFixture(name) }

  private func complaint(_ fixture: ConfigurationFixture, _ changes: JSON) -> String {
    var configuration = fixture.configuration
    for (key, value) in changes.object ?? [:] { configuration[key] = value }
    do {
      _ = try fixture.build(configuration, from: fixture.source())
      return ""
    } catch { return "\(error)" }
  }

  @Test(arguments: [
    ("llama", #"{"quantization_config": {"quant_method": "aqlm", "nbits": 8}}"#, #"quantization_config: quant_method: unsupported value "aqlm""#),
    ("bert", #"{"quantization_config": {"bits": 4}}"#, "quantization_config: quant_method: unsupported value"),
    ("llama", #"{"sliding_window": 4}"#, "sliding_window: unsupported value 4; it must be null"),
    ("llama", #"{"layer_types": ["full_attention", "chunked_attention"]}"#, "layer_types: unsupported \"chunked_attention\""),
    ("llama", #"{"per_layer_config": {"0": {"hidden_size": 4}}}"#, "per_layer_config: unsupported value"),
    ("llama", #"{"hidden_act": null}"#, "hidden_act: is null"), ("llama", #"{"rms_norm_eps": "NaN"}"#, "rms_norm_eps: is a string"),
    ("llama", #"{"rms_norm_eps": {"__float__": "NaN"}}"#, "rms_norm_eps: is not finite"),
    ("llama", #"{"hidden_act": "swoosh"}"#, "hidden_act: unsupported activation"),
    ("llama", #"{"rope_scaling": {"rope_type": "su"}}"#, "rope_type: unsupported \"su\""),
    ("llama", #"{"rope_scaling": {"rope_type": null}}"#, "rope_type: is null"),
    ("llama", #"{"rope_scaling": {"type": "linear"}}"#, "factor: missing"),
    ("llama", #"{"rope_scaling": {"type": "linear", "factor": null}}"#, "factor: is null"),
    ("llama", #"{"rope_scaling": {"type": "linear", "factor": 0}}"#, "factor: is 0.0; it must be above 0"),
    ("llama", #"{"rope_scaling": "linear"}"#, "rope_scaling: is a string"), ("llama", #"{"rope_theta": null}"#, "rope_theta: is null"),
    ("llama", #"{"rope_theta": -1}"#, "rope_theta: is -1.0"),
    ("llama", #"{"rope_scaling": {"type": "llama3", "factor": 2}}"#, "low_freq_factor: missing"),
    ("llama", #"{"rope_scaling": {"type": "yarn"}}"#, "factor: missing"),
    (
      "llama", #"{"rope_scaling": {"type": "longrope", "factor": 2, "short_factor": [1], "long_factor": [1, 2]}}"#,
      "short_factor: lists 1 numbers; it must be 2"
    ),
    ("llama", #"{"rope_scaling": {"type": "linear", "factor": 2}, "partial_rotary_factor": 0.5}"#, "partial_rotary_factor: unsupported value 0.5"),
    ("qwen2", #"{"layer_types": ["full_attention", "sliding_attention"]}"#, "layer_types: unsupported \"sliding_attention\""),
    (
      "qwen2", #"{"layer_types": ["full_attention", "full_attention"], "rope_parameters": {"full_attention": {"rope_theta": 5}}}"#,
      "full_attention: unsupported rotary"
    ),
    ("mistral", #"{"is_causal": false}"#, "is_causal: unsupported value false with a sliding_window"),
    ("bert", #"{"position_embedding_type": "relative_key"}"#, "position_embedding_type: unsupported value \"relative_key\"; it must be \"absolute\""),
    ("bert", #"{"is_decoder": true}"#, "is_decoder: unsupported value true"), ("roberta", #"{"pad_token_id": null}"#, "pad_token_id: is null"),
    ("roberta", #"{"pad_token_id": 29}"#, "pad_token_id: leaves no position"),
    ("roberta", #"{"pad_token_id": -2}"#, "pad_token_id: leaves no position"),
    ("t5", #"{"relative_attention_num_buckets": 3}"#, "relative_attention_num_buckets: 3 buckets"),
    ("t5", #"{"feed_forward_proj": "relu-gated"}"#, "feed_forward_proj: unsupported activation \"relu-gated\""),
    ("t5", #"{"decoder_start_token_id": -1}"#, "decoder_start_token_id: token -1 is outside the vocabulary of 19"),
    ("bart", #"{"decoder_start_token_id": 19}"#, "decoder_start_token_id: token 19 is outside"),
    ("bart", #"{"normalize_before": true}"#, "normalize_before: unsupported value true"),
    ("bart", #"{"dropout": 1.5}"#, "dropout: is 1.5; a probability is between 0 and 1"),
    ("gpt2", #"{"initializer_range": -1.0}"#, "initializer_range: is -1.0"),
  ])
  func whatIsRefused(_ name: String, _ changes: String, _ words: String) throws {
    let found = complaint(try fixture(name), try JSON(parsing: changes))
    #expect(found.hasPrefix("config.json: ") && found.contains(words) && !found.contains("\n"), "\(found)")
  }

  /// Whatever stands under a key, a model is built or an error says why.
  @Test(arguments: ConfigurationFixture.families)
  func noValueTraps(_ name: String) throws {
    let fixture = try fixture(name)
    let table = try #require(ModelFamily.registry[name]?.configuration)
    let values =
      try JSON(
        parsing: """
          [9223372036854775807, -9223372036854775808, 1152921504606846976, 2147483648, 2147483647, 65537, -1, 0, 1, 3, NaN, Infinity, 1e300, -0.5,
           0.5, 1e-300, null, true, "", "linear", [], [1, "a"], {}, {"a": 1}, {"rope_type": "yarn", "factor": 1e30}, {"rope_theta": Infinity},
           {"rope_type": "dynamic", "factor": 2}, {"rope_type": "longrope", "factor": 9e18, "short_factor": [1, 2], "long_factor": [0, 1]},
           {"rope_type": "llama3", "factor": 2, "low_freq_factor": 1, "high_freq_factor": 1, "original_max_position_embeddings": 9e18}]
          """, options: JSONParsingOptions(allowsNonFiniteNumbers: true)
      ).array ?? []
    var built = 0
    var refused = 0
    for key in table.keys.map(\.name) + Array(table.synonyms.keys) {
      for value in values {
        do {
          let model = try fixture.build(fixture.configuration.setting(key, value), from: fixture.source())
          _ = try fixture.scores(model)
          built += 1
        } catch { refused += 1 }
      }
    }
    #expect(built > 100 && refused > 100)
  }

  /// Sizes of recurrent layers that no number holds are refused before they are multiplied.
  @Test(arguments: [
    (TinyConfiguration.mamba, #"{"expand": 1e30}"#, "expand: "),
    (TinyConfiguration.rwkv7, #"{"intermediate_size": null, "hidden_ratio": 1e30}"#, "hidden_ratio: "),
    (TinyConfiguration.rwkv7, #"{"intermediate_size": null, "hidden_ratio": 1e-30}"#, "hidden_ratio: "),
    (TinyConfiguration.rwkv5, #"{"hidden_size": 771, "head_size": 257}"#, "head_size: is 257; it must be at most 256"),
    (TinyConfiguration.rwkv6, #"{"head_size": 5}"#, "head_size: heads of 5 do not divide hidden_size 12"),
    (TinyConfiguration.rwkv6, #"{"head_size_divisor": 0}"#, "head_size_divisor: "),
    (TinyConfiguration.rwkv7, #"{"hidden_size": 771, "head_dim": 257}"#, "head_dim: is 257; it must be at most 256"),
    (TinyConfiguration.mamba2, #"{"n_groups": 4, "state_size": 2147483647}"#, "state_size: "),
    (
      TinyConfiguration.mamba2,
      #"""
      {"expand": 2147483647, "hidden_size": 2147483647, "num_heads": 2147483647, "head_dim": 2147483647, "n_groups": 2147483647,
       "state_size": 2147483647}
      """#, "state_size: "
    ),
  ])
  func recurrentSizes(_ configuration: JSON, _ changes: String, _ words: String) throws {
    let request = ModelRequest(ArchitectureConfiguration(configuration.setting(try JSON(parsing: changes)), source: "config.json"))
    let error = #expect(throws: ArchitectureError.self) { try ModelFamily.build(request, in: Scope(outlining: SiteCatalog())) }
    #expect(error?.description.hasPrefix("config.json: \(words)") == true, "\(error?.description ?? "")")
  }

  /// A ratio says nothing where the size is given.
  @Test func unusedRatio() throws {
    let configuration = TinyConfiguration.rwkv7.setting(["hidden_ratio": 1e30])
    #expect(throws: Never.self) {
      try ModelFamily.build(ModelRequest(ArchitectureConfiguration(configuration, source: "config.json")), in: Scope(outlining: SiteCatalog()))
    }
  }

  /// Sizes that no file bounds are bounded, where weights are drawn.
  @Test func sizesWithoutWeights() throws {
    let fixture = try fixture("llama")
    for key in ["vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "head_dim"] {
      #expect(throws: (any Error).self) { try fixture.build(fixture.configuration.setting(key, .integer(1 << 50)), from: nil) }
    }
    let wide = ["hidden_size", "vocab_size"].reduce(fixture.configuration) { $0.setting($1, .integer(1 << 30)) }
    #expect(throws: WeightError.self) { try fixture.build(wide, from: nil) }
    #expect(throws: ArchitectureError.self) {
      try fixture.build(fixture.configuration.setting("num_labels", .integer(1 << 40)), from: nil, task: .sequenceClassification)
    }
  }
}
