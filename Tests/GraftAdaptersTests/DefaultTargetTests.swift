import GraftAdapters
import GraftJSON
import GraftLayers
import GraftTensors
import Testing

/// What is adapted where a configuration names no modules: PEFT's tables, by `model_type`.
@Suite struct DefaultTargetTests {
  /// A model of one layer with modules of the given names.
  private func sites(_ modelType: String, linears: [String], norms: [String] = []) throws -> SiteCatalog {
    let catalog = SiteCatalog()
    let scope = Scope(source: nil, catalog: catalog)
    catalog.modelType = modelType
    for name in linears { _ = try Linear(name.split(separator: ".").reduce(scope / "layers" / 0) { $0 / String($1) }, in: 4, out: 4) }
    for name in norms { _ = try Norm(name.split(separator: ".").reduce(scope / "layers" / 0) { $0 / String($1) }, width: 4, epsilon: 1e-5) }
    return catalog
  }

  private func adapted(_ type: String, on catalog: SiteCatalog) throws -> Set<String> {
    let method = try MethodCatalog.decode(stored: ["peft_type": .string(type)], from: "test")
    let delta = try Delta(method, on: catalog)
    defer { delta.detach() }
    return Set(delta.modules.map { $0.path.replacing("layers.0.", with: "").replacing(".weight", with: "") })
  }

  private static let llama = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
  private static let bert = ["attention.query", "attention.key", "attention.value", "attention.output.dense", "intermediate.dense", "output.dense"]
  private static let bart = ["q_proj", "k_proj", "v_proj", "out_proj", "fc1", "fc2"]
  private static let gpt2 = ["attn.c_attn", "attn.c_proj", "mlp.c_fc", "mlp.c_proj"]

  @Test(arguments: [
    ("llama", llama, ["q_proj", "v_proj"]), ("mistral", llama, ["q_proj", "v_proj"]), ("qwen2", llama, ["q_proj", "v_proj"]),
    ("qwen3", llama, ["q_proj", "v_proj"]), ("bart", bart, ["q_proj", "v_proj"]), ("gpt2", gpt2, ["attn.c_attn"]),
    ("t5", ["q", "k", "v", "o", "wi", "wo"], ["q", "v"]), ("mt5", ["q", "k", "v", "o", "wi_0", "wi_1", "wo"], ["q", "v"]),
    ("bert", bert, ["attention.query", "attention.value"]), ("roberta", bert, ["attention.query", "attention.value"]),
    ("distilbert", ["q_lin", "k_lin", "v_lin", "out_lin", "lin1", "lin2"], ["q_lin", "v_lin"]),
    ("phi", ["q_proj", "k_proj", "v_proj", "dense", "fc1", "fc2"], ["q_proj", "v_proj", "fc1", "fc2"]),
    ("bloom", ["query_key_value", "dense"], ["query_key_value"]),
  ])
  func `LoRA adapts`(_ modelType: String, _ linears: [String], _ expected: [String]) throws {
    #expect(try adapted("LORA", on: try sites(modelType, linears: linears)) == Set(expected))
  }

  @Test(arguments: [
    ("llama", llama, ["k_proj", "v_proj", "down_proj"]), ("mistral", llama, ["k_proj", "v_proj", "down_proj"]),
    ("qwen2", llama, ["q_proj", "v_proj", "down_proj"]), ("qwen3", llama, ["q_proj", "v_proj", "down_proj"]),
    ("bart", bart, ["q_proj", "v_proj", "fc2"]), ("gpt2", gpt2, ["attn.c_attn", "mlp.c_proj"]),
    ("t5", ["q", "k", "v", "o", "wi", "wo"], ["k", "v", "wo"]), ("mt5", ["q", "k", "v", "o", "wi_0", "wi_1", "wo"], ["k", "v", "wi_1"]),
    ("bert", bert, ["attention.key", "attention.value", "attention.output.dense", "output.dense"]),
    ("roberta", bert, ["attention.key", "attention.value", "attention.output.dense", "output.dense"]),
  ])
  func `IA3 scales`(_ modelType: String, _ linears: [String], _ expected: [String]) throws {
    #expect(try adapted("IA3", on: try sites(modelType, linears: linears)) == Set(expected))
  }

  @Test(arguments: [
    ("llama", ["input_layernorm", "post_attention_layernorm", "norm"], ["input_layernorm", "post_attention_layernorm", "norm"]),
    ("qwen2", ["input_layernorm", "post_attention_layernorm", "norm"], ["post_attention_layernorm"]),
    ("gpt2", ["ln_1", "ln_2", "ln_f"], ["ln_1", "ln_2", "ln_f"]), ("t5", ["layer_norm", "final_layer_norm"], ["layer_norm", "final_layer_norm"]),
  ])
  func `norm tuning trains`(_ modelType: String, _ norms: [String], _ expected: [String]) throws {
    #expect(try adapted("LN_TUNING", on: try sites(modelType, linears: [], norms: norms)) == Set(expected))
  }

  @Test func `a family without a default is told so`() throws {
    for type in ["IA3", "LN_TUNING"] {
      let error = try #require(throws: TuningError.self) { try adapted(type, on: try sites("qwen3_moe", linears: ["q_proj"])) }
      #expect(error.description.contains("target_modules") && error.description.contains("qwen3_moe"))
    }
  }
}
