import GraftAdapters
import GraftConfiguration
import GraftJSON
import Testing

/// A method with a configuration that fits the tiny model, and what is claimed of it.
struct MethodCase: Sendable, CustomTestStringConvertible {
  var testDescription: String
  /// The keys of an `adapter_config.json`.
  let configuration: String
  /// The number of values that it trains.
  let count: Int
  /// True where it changes nothing at first.
  var startsAsIdentity = true

  init(_ name: String, _ configuration: String, count: Int, startsAsIdentity: Bool = true) {
    testDescription = name
    (self.configuration, self.count, self.startsAsIdentity) = (configuration, count, startsAsIdentity)
  }

  func method() throws -> any TuningMethod {
    try MethodCatalog.decode(stored: try JSON(parsing: configuration), from: testDescription)
  }

  /// Queries are 16 x 16, keys and values 8 x 16, the feed-forward 24 x 16 and 16 x 24, in two layers.
  static let all = [
    MethodCase("LoRA", #"{"peft_type": "LORA", "r": 3, "target_modules": ["q_proj", "v_proj"]}"#, count: 2 * 3 * (16 + 16 + 16 + 8)),
    MethodCase(
      "LoRA, all linear, patterns", #"{"peft_type": "LORA", "r": 2, "target_modules": "all-linear", "rank_pattern": {"k_proj": 1}}"#,
      count: 2 * (2 * (16 + 16) * 2 + 1 * (16 + 8) + 2 * (16 + 8) + 3 * 2 * (16 + 24))),
    MethodCase(
      "LoRA, gaussian, rank-stabilised, biases",
      #"{"peft_type": "LORA", "r": 4, "target_modules": ["o_proj"], "init_lora_weights": "gaussian", "use_rslora": true, "bias": "lora_only"}"#,
      count: 2 * (4 * 32 + 16)),
    MethodCase(
      "LoRA with a bias", #"{"peft_type": "LORA", "r": 2, "target_modules": ["down_proj"], "lora_bias": true}"#, count: 2 * (2 * 40 + 16)),
    MethodCase(
      "LoRA of embedding and head", #"{"peft_type": "LORA", "r": 2, "target_modules": ["embed_tokens", "lm_head"]}"#,
      count: 2 * (40 + 16) * 2),
    MethodCase(
      "LoRA and a module", #"{"peft_type": "LORA", "r": 2, "target_modules": ["q_proj"], "modules_to_save": ["lm_head", "lm_head"]}"#,
      count: 2 * 2 * 32 + 40 * 16),
    MethodCase(
      "DoRA", #"{"peft_type": "LORA", "r": 3, "target_modules": ["q_proj", "down_proj"], "use_dora": true}"#,
      count: 2 * (3 * 32 + 16 + 3 * 40 + 16)),
    MethodCase(
      "PiSSA", #"{"peft_type": "LORA", "r": 3, "target_modules": ["q_proj", "up_proj"], "init_lora_weights": "pissa"}"#,
      count: 2 * 3 * (32 + 40)),
    MethodCase(
      "OLoRA", #"{"peft_type": "LORA", "r": 3, "target_modules": ["q_proj", "down_proj"], "init_lora_weights": "olora"}"#,
      count: 2 * 3 * (32 + 40)),
    MethodCase("IA3", #"{"peft_type": "IA3"}"#, count: 2 * (8 + 8 + 24)),
    MethodCase("VeRA", #"{"peft_type": "VERA", "r": 5, "target_modules": ["q_proj", "v_proj"]}"#, count: 2 * (5 + 16 + 5 + 8)),
    MethodCase("LoHa", #"{"peft_type": "LOHA", "r": 2, "target_modules": ["q_proj", "v_proj"]}"#, count: 2 * 2 * 2 * (16 + 16 + 16 + 8)),
    MethodCase("LoKr", #"{"peft_type": "LOKR", "r": 1, "target_modules": ["up_proj"]}"#, count: 2 * (4 * 4 + (6 + 4))),
    MethodCase(
      "LoKr, both decomposed", #"{"peft_type": "LOKR", "r": 1, "target_modules": ["q_proj"], "decompose_both": true, "decompose_factor": 4}"#,
      count: 2 * (4 + 4 + 4 + 4)),
    MethodCase("AdaLoRA", #"{"peft_type": "ADALORA", "init_r": 3, "target_modules": ["v_proj"]}"#, count: 2 * (3 * 16 + 8 * 3 + 3)),
    MethodCase("OFT", #"{"peft_type": "OFT", "oft_block_size": 4, "target_modules": ["q_proj", "down_proj"]}"#, count: 2 * (4 + 6) * 6),
    MethodCase(
      "OFT, exact and shared",
      #"{"peft_type": "OFT", "r": 2, "oft_block_size": 0, "block_share": true, "use_cayley_neumann": false, "target_modules": ["v_proj"]}"#,
      count: 2 * 28),
    MethodCase(
      "VB-LoRA", #"{"peft_type": "VBLORA", "r": 2, "num_vectors": 6, "vector_length": 4, "target_modules": ["q_proj", "v_proj"]}"#,
      count: 6 * 4 + 2 * 2 * 6 * (4 + 4 + 4 + 2), startsAsIdentity: false),
    MethodCase("LLaMA-Adapter", #"{"peft_type": "ADAPTION_PROMPT", "adapter_len": 3, "adapter_layers": 2}"#, count: 2 * (3 * 16 + 1)),
    MethodCase("norm tuning", #"{"peft_type": "LN_TUNING"}"#, count: 5 * 16),
    MethodCase("BitFit", #"{"peft_type": "BITFIT"}"#, count: 2 * (16 + 8 + 8 + 16 + 24 + 24 + 16)),
    MethodCase("trainable tokens", #"{"peft_type": "TRAINABLE_TOKENS", "token_indices": [17, 3, 22]}"#, count: 3 * 16),
    MethodCase("Pfeiffer's adapter", #"{"peft_type": "ADAPTER", "reduction_factor": 4}"#, count: 2 * (2 * 4 * 16 + 4 + 16), startsAsIdentity: false),
    MethodCase(
      "Houlsby's adapters", #"{"peft_type": "ADAPTER", "config": "double_seq_bn", "reduction_factor": 4}"#,
      count: 4 * (2 * 4 * 16 + 4 + 16), startsAsIdentity: false),
    MethodCase("parallel adapter", #"{"peft_type": "ADAPTER", "config": "par_bn"}"#, count: 2 * (2 * 8 * 16 + 8 + 16)),
    MethodCase(
      "scaled parallel adapter", #"{"peft_type": "ADAPTER", "config": "scaled_par_bn", "leave_out": [0]}"#, count: 2 * 8 * 16 + 8 + 16 + 1),
    MethodCase(
      "Compacter", #"{"peft_type": "ADAPTER", "config": "compacter", "reduction_factor": 4, "phm_dim": 2}"#,
      count: 4 * (2 * (8 + 2) + 4 + 2 * (2 + 8) + 16) + 8),
    MethodCase(
      "Compacter++ with rules of its own",
      #"{"peft_type": "ADAPTER", "config": "compacter++", "reduction_factor": 4, "phm_dim": 2, "phm_rank": 2, "shared_phm_rule": false}"#,
      count: 2 * (4 * (8 + 2) + 4 + 8 + 4 * (2 + 8) + 16 + 8), startsAsIdentity: false),
    MethodCase("prompt", #"{"peft_type": "PROMPT_TUNING", "num_virtual_tokens": 3}"#, count: 3 * 16, startsAsIdentity: false),
    MethodCase(
      "prompt of sampled tokens", #"{"peft_type": "PROMPT_TUNING", "num_virtual_tokens": 3, "prompt_tuning_init": "SAMPLE_VOCAB"}"#,
      count: 3 * 16, startsAsIdentity: false),
    MethodCase(
      "P-tuning", #"{"peft_type": "P_TUNING", "num_virtual_tokens": 3, "encoder_hidden_size": 5}"#,
      count: 3 * 16 + (16 * 5 + 5) + (5 * 5 + 5) + (5 * 16 + 16), startsAsIdentity: false),
    MethodCase(
      "P-tuning, recurrent",
      #"{"peft_type": "P_TUNING", "num_virtual_tokens": 3, "encoder_hidden_size": 5, "encoder_reparameterization_type": "LSTM"}"#,
      count: 3 * 16 + 2 * 20 * (16 + 5 + 2) + 2 * 20 * (10 + 5 + 2) + (10 * 10 + 10) + (10 * 16 + 16), startsAsIdentity: false),
    MethodCase("prefix", #"{"peft_type": "PREFIX_TUNING", "num_virtual_tokens": 3}"#, count: 3 * 2 * 2 * 8, startsAsIdentity: false),
    MethodCase(
      "prefix through a network", #"{"peft_type": "PREFIX_TUNING", "num_virtual_tokens": 3, "prefix_projection": true, "encoder_hidden_size": 6}"#,
      count: 3 * 8 + (8 * 6 + 6) + (6 * 32 + 32), startsAsIdentity: false),
    MethodCase("everything", #"{"peft_type": "FULL"}"#, count: 5000),
  ]
}
