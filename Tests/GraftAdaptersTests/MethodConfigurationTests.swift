import GraftAdapters
import GraftConfiguration
import GraftJSON
import GraftLayers
import Testing

/// Configurations that are refused, with their messages.
@Suite struct MethodConfigurationTests {
  @Test(arguments: [
    (#"{"peft_type": "LORA", "r": 0}"#, "r"), (#"{"peft_type": "LORA", "lora_dropout": 1}"#, "lora_dropout"),
    (#"{"peft_type": "LORA", "target_modules": ["q_prj"]}"#, "did you mean q_proj"),
    (#"{"peft_type": "LORA", "target_modules": ["q_proj"], "modules_to_save": ["hed"]}"#, "modules_to_save"),
    (#"{"peft_type": "LORA", "lora_bias": true, "bias": "all"}"#, "lora_bias"),
    (#"{"peft_type": "LORA", "use_dora": true, "init_lora_weights": "pissa"}"#, "use_dora"),
    (#"{"peft_type": "LORA", "r": 9, "init_lora_weights": "olora", "target_modules": ["k_proj"]}"#, "k_proj"),
    (#"{"peft_type": "LORA", "r": 9, "init_lora_weights": "mica", "target_modules": ["k_proj"]}"#, "k_proj"),
    (#"{"peft_type": "LORA", "r": 3, "init_lora_weights": "orthogonal"}"#, "even rank"),
    (#"{"peft_type": "LORA", "init_lora_weights": "eva"}"#, "eva"),
    (#"{"peft_type": "LORA", "alora_invocation_tokens": []}"#, "alora_invocation_tokens: is empty"),
    (#"{"peft_type": "LORA", "alora_invocation_tokens": [1], "target_modules": ["lm_head"]}"#, "lm_head"),
    (#"{"peft_type": "LORA", "alora_invocation_tokens": [1], "use_dora": true}"#, "use_dora"),
    (#"{"peft_type": "LORA", "kasa_config": {}, "velora_config": {}}"#, "kasa_config: cannot be combined with velora_config"),
    (#"{"peft_type": "LORA", "r": 8, "kasa_config": {}, "target_modules": ["v_proj"]}"#, "of which nothing would be left"),
    (#"{"peft_type": "LORA", "use_bdlora": {"target_modules_bd_a": ["v_proj"]}, "target_modules": ["q_proj"]}"#, "match_strict"),
    (#"{"peft_type": "LORA", "use_bdlora": {"target_modules_bd_a": ["q_proj"], "nblocks": 3}, "target_modules": ["q_proj"]}"#, "nblocks is 3"),
    (#"{"peft_type": "LORA", "monteclora_config": {}}"#, "monteclora_config"),
    (#"{"peft_type": "LORA", "kasa_config": {}, "target_modules": ["q_proj", "embed_tokens"]}"#, "not for the table"),
    (#"{"peft_type": "LORA", "init_lora_weights": "mica", "target_modules": ["embed_tokens"]}"#, "not for the table"),
    (#"{"peft_type": "LOHA", "rank_dropout": 0.5}"#, "rank_dropout"),
    (#"{"peft_type": "VBLORA"}"#, "vector_length"), (#"{"peft_type": "VBLORA", "vector_length": 4, "num_vectors": 1}"#, "topk"),
    (#"{"peft_type": "OFT", "r": 2}"#, "oft_block_size"), (#"{"peft_type": "OFT", "coft": true}"#, "coft"),
    (#"{"peft_type": "BOFT", "boft_block_num": 2}"#, "boft_block_size"), (#"{"peft_type": "BOFT", "boft_block_size": 5}"#, "boft_block_size"),
    (#"{"peft_type": "BOFT", "boft_n_butterfly_factor": 2}"#, "boft_n_butterfly_factor"), (#"{"peft_type": "MISS"}"#, "r"),
    (#"{"peft_type": "MISS", "r": 5, "init_weights": "bat"}"#, "does not divide"), (#"{"peft_type": "SHIRA"}"#, "r"),
    (#"{"peft_type": "FOURIERFT"}"#, "n_frequency"), (#"{"peft_type": "WAVEFT", "wavelet_family": "sym4"}"#, "wavelet_family"),
    (#"{"peft_type": "C3A"}"#, "block_size"), (#"{"peft_type": "PVERA", "sample_at_inference": true}"#, "sample_at_inference"),
    (#"{"peft_type": "TINYLORA", "weight_tying": 2}"#, "weight_tying"),
    (#"{"peft_type": "GRALORA", "gralora_k": 3}"#, "gralora_k"), (#"{"peft_type": "GLORA", "config_C": "constant"}"#, "config_C"),
    (#"{"peft_type": "ROAD"}"#, "group_size"), (#"{"peft_type": "PEANUT", "act_fn": "rely"}"#, "act_fn"),
    (#"{"peft_type": "SUPERTUNING", "sparsity": 0.9999}"#, "sparsity"), (#"{"peft_type": "SUPERTUNING", "r": 2}"#, "lora_alpha"),
    (#"{"peft_type": "PROMPT_TUNING"}"#, "num_virtual_tokens"),
    (#"{"peft_type": "MULTITASK_PROMPT_TUNING", "num_virtual_tokens": 2, "num_tasks": 2}"#, "num_tasks"),
    (#"{"peft_type": "CARTRIDGE", "num_virtual_tokens": 2, "num_frozen_tokens": 2}"#, "num_frozen_tokens"),
    (#"{"peft_type": "PROMPT_TUNING", "num_virtual_tokens": 2, "prompt_tuning_init": "TEXT"}"#, "prompt_tuning_init_text"),
    (#"{"peft_type": "PREFIX_TUNING", "num_virtual_tokens": 0}"#, "num_virtual_tokens"),
    (#"{"peft_type": "P_TUNING", "num_virtual_tokens": 2, "encoder_hidden_size": 0}"#, "encoder_hidden_size"),
    (
      #"{"peft_type": "P_TUNING", "num_virtual_tokens": 2, "encoder_reparameterization_type": "LSTM", "encoder_num_layers": 0}"#, "encoder_num_layers"
    ),
    (#"{"peft_type": "P_TUNING", "num_virtual_tokens": 2, "encoder_reparameterization_type": "LSTM", "encoder_dropout": 1}"#, "encoder_dropout"),
    (#"{"peft_type": "ADAPTION_PROMPT", "adapter_len": 2, "adapter_layers": 3}"#, "adapter_layers"),
    (#"{"peft_type": "ADAPTER", "non_linearity": "rely"}"#, "non_linearity"),
    (#"{"peft_type": "ADAPTER", "config": "compacter"}"#, "phm_dim"),
    (#"{"peft_type": "ADAPTER", "inv_adapter": "glow"}"#, "inv_adapter"),
    (#"{"peft_type": "ADAPTER", "original_ln_after": false}"#, "original_ln_after"),
    (#"{"peft_type": "ADAPTER", "config": "par_bn", "residual_before_ln": false}"#, "residual_before_ln"),
    (#"{"peft_type": "ADAPTER", "adapter_drop": -1}"#, "adapter_drop"), (#"{"peft_type": "REFT", "r": 16}"#, "r: is 16"),
    (#"{"peft_type": "REFT", "layers": [2]}"#, "layers"), (#"{"peft_type": "REFT", "prefix_positions": 0}"#, "prefix_positions"),
    (#"{"peft_type": "HUB_LORA", "attn_matrices": ["o"]}"#, "attn_matrices"), (#"{"peft_type": "HUB_PREFIX"}"#, "use PREFIX_TUNING"),
    (#"{"peft_type": "UNION", "configs": [{"peft_type": "UNION"}]}"#, "a mixture within a mixture"),
    (#"{"peft_type": "UNION", "configs": [{"peft_type": "ADALORA", "init_r": 3, "target_modules": ["v_proj"]}]}"#, "configs"),
    (#"{"peft_type": "TRAINABLE_TOKENS", "token_indices": [40]}"#, "token_indices"),
  ])
  func `names the key that does not fit the model`(_ configuration: String, _ key: String) throws {
    let model = try makeTinyModel()
    let before = model.states()
    let method = try MethodCatalog.decode(stored: try JSON(parsing: configuration), from: "test")
    let error = try #require(throws: TuningError.self) { try Delta(method, on: model.catalog) }
    #expect(error.description.contains(key))
    #expect(model.states() == before)
  }

  @Test(arguments: [
    (#"{"peft_type": "LORE"}"#, "LORA"), (#"{"peft_type": "psoft"}"#, "signs are not in its files, and differ"),
    (#"{"peft_type": "OSF"}"#, "take LORA"), (#"{"peft_type": "LORA", "lora_alfa": 1}"#, "lora_alpha"),
    (#"{"peft_type": "LORA", "init_lora_weights": "pisa"}"#, "pissa"), (#"{"peft_type": "PROMPT_TUNING", "prompt_tuning_init": "WORDS"}"#, "TEXT"),
    (#"{"peft_type": "LOKR", "init_weights": "other"}"#, "lycoris"),
    (#"{"peft_type": "LORA", "arrow_config": {"top_k": 2}}"#, "give several adapters with weights"),
    (#"{"peft_type": "LORA", "layer_replication": [[0, 2], [1, 2]]}"#, "adds layers to the base"),
  ])
  func `names the nearest key or value`(_ configuration: String, _ advice: String) throws {
    let error = try #require(throws: (any Error).self) {
      try MethodCatalog.decode(stored: try JSON(parsing: configuration), from: "test")
    }
    #expect("\(error)".contains(advice))
  }

  @Test(arguments: MethodCatalog.builtIn.map { $0.name }) func `starts from PEFT's defaults and survives its own configuration`(_ name: String) throws
  {
    let configuration = JSON.object(["peft_type": .string(name)])
    let method = try MethodCatalog.decode(stored: configuration, from: "test")
    let tree = try ConfigTree(encoding: method)
    var whole = tree.json
    whole["peft_type"] = .string(name)
    let again = try MethodCatalog.decode(stored: whole, from: "test")
    #expect(try ConfigTree(encoding: again).json == tree.json)
    #expect(type(of: method).defaultLearningRate > 0)
  }
}
