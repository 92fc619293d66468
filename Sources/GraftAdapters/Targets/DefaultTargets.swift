import GraftLayers

/// The modules that PEFT adapts where a configuration names none, by the base's `model_type`.
///
/// From the tables of PEFT's `utils/constants.py`.
enum DefaultTargets {
  /// LoRA and its relatives, where the names that the model has do not tell.
  static let lowRank: [String: [String]] = [
    "phi": ["q_proj", "v_proj", "fc1", "fc2"],
    "rwkv": ["key", "value", "receptance", "output"],
    "nemotron_h": ["q_proj", "k_proj", "v_proj", "o_proj"],
  ]

  /// IA3's targets, and which of them are scaled at the input.
  static func scaling(of modelType: String) -> (modules: [String], feedForward: [String])? {
    switch modelType {
    case "t5": (["k", "v", "wo"], ["wo"])
    case "mt5": (["k", "v", "wi_1"], [])
    case "gpt2": (["c_attn", "mlp.c_proj"], ["mlp.c_proj"])
    case "bert", "roberta", "xlm-roberta": (["key", "value", "output.dense"], ["output.dense"])
    case "llama", "mistral": (["k_proj", "v_proj", "down_proj"], ["down_proj"])
    case "mixtral": (["k_proj", "v_proj", "w2"], ["w2"])
    case "qwen2", "qwen3", "llama4", "gemma", "gemma2", "gemma3_text": (["q_proj", "v_proj", "down_proj"], ["down_proj"])
    case "opt": (["q_proj", "k_proj", "fc2"], ["fc2"])
    case "bart", "phi": (["q_proj", "v_proj", "fc2"], ["fc2"])
    case "bloom": (["query_key_value", "mlp.dense_4h_to_h"], ["mlp.dense_4h_to_h"])
    case "gpt_neox", "falcon": (["query_key_value", "dense_4h_to_h"], ["dense_4h_to_h"])
    case "gptj": (["q_proj", "v_proj", "fc_out"], ["fc_out"])
    default: nil
    }
  }

  /// Norm tuning's targets.
  static func norms(of modelType: String) -> [String]? {
    switch modelType {
    case "llama", "mistral", "gemma": ["input_layernorm", "post_attention_layernorm", "norm"]
    case "gpt2": ["ln_1", "ln_2", "ln_f"]
    case "t5", "mt5": ["layer_norm", "final_layer_norm"]
    case "qwen2", "qwen3": ["post_attention_layernorm"]
    case "phi": ["input_layernorm", "final_layernorm"]
    case "gemma2", "gemma3_text":
      ["input_layernorm", "post_attention_layernorm", "pre_feedforward_layernorm", "post_feedforward_layernorm", "norm"]
    default: nil
    }
  }
}
