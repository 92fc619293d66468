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
  /// True where what a token gets does not depend on the tokens that are computed beside it.
  var isTokenwise = true

  init(_ name: String, _ configuration: String, count: Int, startsAsIdentity: Bool = true, isTokenwise: Bool = true) {
    testDescription = name
    (self.configuration, self.count, self.startsAsIdentity, self.isTokenwise) = (configuration, count, startsAsIdentity, isTokenwise)
  }

  static let tokenwise = all.filter(\.isTokenwise)

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
    MethodCase(
      "MiCA", #"{"peft_type": "LORA", "r": 3, "target_modules": ["q_proj", "down_proj"], "init_lora_weights": "mica"}"#, count: 2 * 3 * (16 + 24)),
    MethodCase(
      "LoRA, orthogonal", #"{"peft_type": "LORA", "r": 2, "target_modules": ["q_proj"], "init_lora_weights": "orthogonal"}"#, count: 2 * 2 * 32),
    MethodCase(
      "activated LoRA", #"{"peft_type": "LORA", "r": 2, "target_modules": ["q_proj", "down_proj"], "alora_invocation_tokens": [17, 5]}"#,
      count: 2 * 2 * (32 + 40)),
    MethodCase(
      "BD-LoRA",
      #"""
      {"peft_type": "LORA", "r": 4, "target_modules": ["q_proj", "v_proj", "down_proj"],
       "use_bdlora": {"target_modules_bd_a": ["down_proj"], "target_modules_bd_b": ["q_proj"], "nblocks": 2, "match_strict": false}}
      """#,
      count: 2 * (4 * 16 + 2 * 16 + 4 * (16 + 8) + 4 * 12 + 4 * 16)),
    MethodCase(
      "KaSA", #"{"peft_type": "LORA", "r": 3, "target_modules": ["q_proj", "down_proj"], "kasa_config": {}}"#, count: 2 * (3 * 32 + 3 + 3 * 40 + 3),
      startsAsIdentity: false),
    MethodCase(
      "VeLoRA", #"{"peft_type": "LORA", "r": 2, "target_modules": ["q_proj", "down_proj"], "velora_config": {"num_groups": 5}}"#,
      count: 2 * 2 * (32 + 40)),
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
    MethodCase(
      "Uni-LoRA", #"{"peft_type": "UNILORA", "r": 2, "theta_d_length": 50, "target_modules": ["q_proj", "v_proj"]}"#, count: 50,
      startsAsIdentity: false),
    MethodCase(
      "Uni-LoRA, indices kept",
      #"{"peft_type": "UNILORA", "r": 1, "theta_d_length": 70, "save_indices": true, "proj_seed": 7, "target_modules": ["down_proj"]}"#, count: 70,
      startsAsIdentity: false),
    MethodCase("BOFT", #"{"peft_type": "BOFT", "target_modules": ["q_proj", "down_proj"]}"#, count: 2 * (4 * 16 + 16 + 4 * 24 + 16)),
    MethodCase("HRA", #"{"peft_type": "HRA", "r": 4, "target_modules": ["q_proj", "down_proj"]}"#, count: 2 * 4 * (16 + 24)),
    MethodCase(
      "HRA, orthogonal", #"{"peft_type": "HRA", "r": 3, "apply_GS": true, "target_modules": ["v_proj"]}"#, count: 2 * 3 * 16, startsAsIdentity: false),
    MethodCase("MiSS", #"{"peft_type": "MISS", "r": 5, "target_modules": ["q_proj", "down_proj"]}"#, count: 2 * 5 * (16 + 16)),
    MethodCase(
      "MiSS, bat", #"{"peft_type": "MISS", "r": 4, "init_weights": "bat", "target_modules": ["v_proj", "down_proj"]}"#, count: 2 * 4 * (8 + 16)),
    MethodCase(
      "MiSS, mini", #"{"peft_type": "MISS", "r": 4, "mini_r": 2, "init_weights": "mini", "target_modules": ["q_proj"]}"#, count: 2 * 4 * 2),
    MethodCase("SHiRA", #"{"peft_type": "SHIRA", "r": 2, "target_modules": ["q_proj", "v_proj"]}"#, count: 2 * 2 * (32 + 24)),
    MethodCase(
      "Super-Tuning", #"{"peft_type": "SUPERTUNING", "sparsity": 0.9, "r": 2, "lora_alpha": 3, "target_modules": ["q_proj"]}"#,
      count: 2 * (25 + 2 * 32)),
    MethodCase(
      "FourierFT", #"{"peft_type": "FOURIERFT", "n_frequency": 9, "n_frequency_pattern": {"v_proj": 7}, "target_modules": ["q_proj", "v_proj"]}"#,
      count: 2 * (9 + 7), startsAsIdentity: false),
    MethodCase(
      "WaveFT", #"{"peft_type": "WAVEFT", "n_frequency": 9, "wavelet_family": "db2", "target_modules": ["q_proj", "v_proj"]}"#, count: 2 * 2 * 9),
    MethodCase(
      "C3A", #"{"peft_type": "C3A", "block_size": 8, "init_weights": true, "target_modules": ["v_proj", "down_proj"]}"#,
      count: 2 * (8 * 16 + 16 * 24) / 8),
    MethodCase(
      "RandLoRA", #"{"peft_type": "RANDLORA", "r": 5, "target_modules": ["v_proj", "down_proj"]}"#, count: 2 * (5 * 2 + 2 * 8 + 5 * 4 + 4 * 16)),
    MethodCase("PVeRA", #"{"peft_type": "PVERA", "r": 5, "target_modules": ["q_proj", "v_proj"]}"#, count: 2 * (10 + 16 + 10 + 8)),
    MethodCase(
      "TinyLoRA", #"{"peft_type": "TINYLORA", "r": 3, "u": 5, "weight_tying": 0.5, "target_modules": ["q_proj", "v_proj"]}"#, count: 2 * 5),
    MethodCase(
      "GraLoRA", #"{"peft_type": "GRALORA", "r": 4, "hybrid_r": 2, "target_modules": ["q_proj", "down_proj"]}"#, count: 2 * 6 * (32 + 40)),
    MethodCase("HiRA", #"{"peft_type": "HIRA", "r": 3, "target_modules": ["q_proj", "down_proj"]}"#, count: 2 * 3 * (32 + 40)),
    MethodCase("DeLoRA", #"{"peft_type": "DELORA", "r": 3, "target_modules": ["q_proj", "down_proj"]}"#, count: 2 * (3 * 32 + 1 + 3 * 40 + 1)),
    MethodCase("GLoRA", #"{"peft_type": "GLORA", "r": 2, "target_modules": ["v_proj"]}"#, count: 2 * (2 * 2 * 24 + 2 * 17 + 2)),
    MethodCase(
      "GLoRA, vectors",
      #"{"peft_type": "GLORA", "config_A_B": "vector", "config_C": "vector", "config_D_E": "vector", "target_modules": ["v_proj"]}"#,
      count: 2 * (2 * 8 + 16 + 2 * 8)),
    MethodCase("RoAd", #"{"peft_type": "ROAD", "group_size": 8, "target_modules": ["q_proj", "v_proj"]}"#, count: 2 * 2 * (8 + 4)),
    MethodCase(
      "RoAd, four numbers", #"{"peft_type": "ROAD", "group_size": 4, "variant": "road_4", "target_modules": ["v_proj"]}"#, count: 2 * 2 * 16),
    MethodCase("DEFT", #"{"peft_type": "DEFT", "r": 3, "target_modules": ["q_proj", "down_proj"]}"#, count: 2 * 3 * (32 + 40)),
    MethodCase(
      "DEFT, orthonormal", #"{"peft_type": "DEFT", "r": 3, "alpha": 2, "decomposition_method": "qr", "target_modules": ["v_proj"]}"#,
      count: 2 * 3 * 24),
    MethodCase("PEANuT", #"{"peft_type": "PEANUT", "r": 4, "depth": 1, "target_modules": ["q_proj"]}"#, count: 2 * (2 * 4 * 16 + 2 * 16)),
    MethodCase(
      "Lily", #"{"peft_type": "LILY", "r": 3, "stride_A": 2, "target_modules": ["q_proj", "down_proj"]}"#,
      count: 3 * 16 + 3 * 24 + 2 * 6 * 16 + 4 * 6, isTokenwise: false),
    MethodCase("BEFT", #"{"peft_type": "BEFT"}"#, count: 2 * 8),
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
    MethodCase(
      "adapters with gates and channels",
      #"{"peft_type": "ADAPTER", "reduction_factor": 4, "use_gating": true, "scaling": "channel", "residual_before_ln": "post_add"}"#,
      count: 2 * (2 * 4 * 16 + 4 + 16 + 17 + 16), startsAsIdentity: false, isTokenwise: false),
    MethodCase(
      "AdapterPlus", #"{"peft_type": "ADAPTER", "config": "adapter_plus", "reduction_factor": 4, "stochastic_depth": 0}"#,
      count: 2 * (2 * 4 * 16 + 4 + 16 + 16), startsAsIdentity: false),
    MethodCase(
      "invertible adapter", #"{"peft_type": "ADAPTER", "config": "seq_bn_inv", "reduction_factor": 4}"#,
      count: 2 * (2 * 4 * 16 + 4 + 16) + 2 * (4 * 8 + 4 + 8 * 4 + 8), startsAsIdentity: false),
    MethodCase(
      "LoReFT", #"{"peft_type": "REFT", "r": 2, "prefix_positions": 2, "tied_weights": true, "dropout": 0}"#, count: 2 * (2 * 2 * 16 + 2),
      startsAsIdentity: false),
    MethodCase(
      "NoReFT of first and last tokens", #"{"peft_type": "REFT", "config": "noreft", "r": 2, "suffix_positions": 2, "dropout": 0}"#,
      count: 2 * 2 * (2 * 2 * 16 + 2), startsAsIdentity: false, isTokenwise: false),
    MethodCase(
      "DiReFT", #"{"peft_type": "REFT", "config": "direft", "r": 2, "layers": [1], "dropout": 0}"#, count: 2 * 2 * 16 + 2, startsAsIdentity: false),
    MethodCase(
      "AdapterHub's LoRA", #"{"peft_type": "HUB_LORA", "r": 2, "intermediate_lora": true, "output_lora": true}"#,
      count: 2 * 2 * (32 + 24 + 40 + 40)),
    MethodCase(
      "LoRA behind gates and a bottleneck",
      #"{"peft_type": "UNION", "configs": [{"peft_type": "HUB_LORA", "r": 2, "use_gating": true}, {"peft_type": "ADAPTER", "config": "par_bn"}]}"#,
      count: 2 * (2 * (32 + 24) + 2 * 17) + 2 * (2 * 8 * 16 + 8 + 16), isTokenwise: false),
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
    MethodCase(
      "multitask prompt", #"{"peft_type": "MULTITASK_PROMPT_TUNING", "num_virtual_tokens": 3, "num_ranks": 2}"#, count: 3 * 16 + 2 * (3 + 16),
      startsAsIdentity: false),
    MethodCase("cartridge", #"{"peft_type": "CARTRIDGE", "num_virtual_tokens": 3}"#, count: 3 * 2 * 2 * 8, startsAsIdentity: false),
    MethodCase("everything", #"{"peft_type": "FULL"}"#, count: 5000),
  ]
}
