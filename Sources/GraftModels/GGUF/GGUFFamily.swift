import GraftCheckpoints
import GraftJSON
import GraftTensors

/// A family of models as llama.cpp knows it: its architecture's name, and how modules are called and laid out there.
package struct GGUFFamily {
  enum Kind { case llama(Llama.Configuration), gpt2(GPT2.Configuration) }

  /// The value of `general.architecture`.
  package let architecture: String
  let kind: Kind
  /// Whether the rows of queries and keys stand in the order of interleaved rotary pairs.
  let permutesHeads: Bool
  /// The model's `config.json` as Transformers understands it, and as it is.
  package let configuration: ArchitectureConfiguration, json: JSON

  private static let architectures = ["llama": "llama", "mistral": "llama", "qwen2": "qwen2", "qwen3": "qwen3", "gpt2": "gpt2"]

  /// - Parameter source: the file, for messages.
  /// - Throws: `ArchitectureError` for a family without a counterpart here, `ArchitectureError` for a damaged configuration.
  package init(_ json: JSON, source: String) throws {
    let configuration = try ArchitectureConfiguration(json, source: source).resolved()
    let type = try configuration.string("model_type")
    architecture = try Self.architecture(of: type, source: source)
    permutesHeads = architecture == "llama"
    (self.configuration, self.json) = (configuration, json)
    kind = type == "gpt2" ? .gpt2(try GPT2.Configuration(configuration)) : .llama(try Llama.Configuration(configuration, modelType: type))
  }

  /// - Throws: `ArchitectureError` for a `model_type` that is not among the known ones.
  package static func architecture(of modelType: String, source: String) throws -> String {
    guard let architecture = architectures[modelType] else {
      throw ArchitectureError("\(source): GGUF files are written for \(architectures.keys.sorted().joined(separator: ", ")), not for \(modelType)")
    }
    return architecture
  }

  /// The number of heads whose rows a module's output has; nil where the order of rows stays.
  package func headCount(of module: String) -> Int? {
    guard permutesHeads, case .llama(let c) = kind else { return nil }
    return module.hasSuffix(".q_proj") ? c.heads : module.hasSuffix(".k_proj") ? c.keyValueHeads : nil
  }

  private static let parts = [
    "input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm", "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output", "self_attn.q_norm": "attn_q_norm", "self_attn.k_norm": "attn_k_norm",
    "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down",
    "ln_1": "attn_norm", "ln_2": "ffn_norm", "attn.c_attn": "attn_qkv", "attn.c_proj": "attn_output", "mlp.c_fc": "ffn_up",
    "mlp.c_proj": "ffn_down",
  ]
  private static let wholes = [
    "model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output",
    "transformer.wte": "token_embd", "transformer.wpe": "position_embd", "transformer.ln_f": "output_norm",
  ]

  /// What a module such as `model.layers.0.self_attn.q_proj` is called: `blk.0.attn_q`. Nil for unknown ones.
  package static func name(of module: String) -> String? {
    if let whole = wholes[module] { return whole }
    let components = module.split(separator: ".", maxSplits: 3).map(String.init)
    guard components.count == 4, ["model.layers", "transformer.h"].contains(components[..<2].joined(separator: ".")), let layer = Int(components[2]),
      let part = parts[components[3]]
    else { return nil }
    return "blk.\(layer).\(part)"
  }

  /// Rows from the order of halves, as Hugging Face rotates, to that of interleaved pairs: `(head, 2, size / 2)` to
  /// `(head, size / 2, 2)`.
  package static func interleaved(_ rows: Tensor, heads: Int) -> Tensor {
    let count = rows.shape[0]
    let size = count / heads
    let order = (0..<count).map { row in Int32(row / size * size + row % size % 2 * (size / 2) + row % size / 2) }
    let columns = rows.elementCount / count
    return gatherRows(rows.converted(to: .float32).reshaped(to: [count, columns]), Tensor(order)).reshaped(to: rows.shape)
  }
}
