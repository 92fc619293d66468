import GraftJSON

/// The names and shapes of an RWKV's tensors in its authors' own files.
enum RWKVLayout {
  case four, five, six, seven

  /// The version of a file, by its first block; nil for another.
  init?(_ shapes: [String: [Int]]) {
    func has(_ name: String) -> Bool { shapes["blocks.0.att.\(name)"] != nil }
    if has("r_k") {
      self = .seven
    } else if has("time_maa_w1") {
      self = .six
    } else if has("time_faaaa"), has("gate.weight") {
      self = .five
    } else if has("time_first"), has("time_mix_k"), !has("ln_x.weight") {
      self = .four
    } else {
      return nil
    }
  }

  /// The configuration that the shapes tell; nil where they tell none.
  func configuration(_ shapes: [String: [Int]]) -> JSON? {
    func size(_ name: String, _ axis: Int, rank: Int = 2) -> JSON? {
      shapes[name].flatMap { $0.count == rank ? .integer($0[axis]) : nil }
    }
    let blocks = Set(shapes.keys.compactMap { name in name.hasPrefix("blocks.") ? name.split(separator: ".")[1] : nil })
    guard let vocabulary = size("emb.weight", 0), let hidden = size("emb.weight", 1), let wide = size("blocks.0.ffn.key.weight", 0) else {
      return nil
    }
    var members: [(String, JSON)] = [
      ("vocab_size", vocabulary), ("hidden_size", hidden), ("num_hidden_layers", .integer(blocks.count)), ("intermediate_size", wide),
      ("tie_word_embeddings", false), ("bos_token_id", 0), ("eos_token_id", 0),
    ]
    switch self {
    case .four:
      guard let channels = size("blocks.0.att.key.weight", 0) else { return nil }
      members += [
        ("model_type", "rwkv"), ("architectures", ["RwkvForCausalLM"]), ("attention_hidden_size", channels), ("layer_norm_epsilon", 1e-5),
        ("rescale_every", 0),
      ]
    case .five, .six:
      guard let head = size("blocks.0.att.time_faaaa", 1) else { return nil }
      let number = self == .five ? 5 : 6
      members += [
        ("model_type", .string("rwkv\(number)")), ("architectures", [.string("Rwkv\(number)ForCausalLM")]), ("head_size", head),
        ("head_size_divisor", 8), ("layer_norm_epsilon", 1e-5),
      ]
    case .seven:
      func rank(_ part: String) -> JSON? { size("blocks.0.att.\(part)1", 1) }
      // The first block has no share of the first block's values, though some files hold one.
      let share = size("blocks.1.att.v1", 1) ?? (blocks.count == 1 ? .integer(1) : nil)
      guard let head = size("blocks.0.att.r_k", 1), let decay = rank("w"), let rate = rank("a"), let gate = rank("g"), let share else { return nil }
      members += [
        ("model_type", "rwkv7"), ("architectures", ["RWKV7ForCausalLM"]), ("head_dim", head), ("decay_low_rank_dim", decay), ("a_low_rank_dim", rate),
        ("gate_low_rank_dim", gate), ("v_low_rank_dim", share), ("norm_first", true), ("norm_bias", true), ("norm_eps", 1e-5),
        ("hidden_act", "sqrelu"),
      ]
    }
    return .object(JSONObject(members))
  }

  /// A tensor under its name in Transformers, in the shape that it has there; nil for one that is not used.
  func transformers(_ view: Unpickler.TensorView) -> Unpickler.TensorView? {
    var view = view
    let parts = view.name.split(separator: ".").map(String.init)
    guard parts.first == "blocks", parts.count >= 4 else {
      view.name = outside(view.name)
      return view
    }
    let (block, module, rest) = (parts[1], parts[2], Array(parts[3...]))
    switch self {
    case .four, .five, .six:
      let names = ["ln0": "pre_ln", "att": "attention", "ffn": "feed_forward"]
      let mixes = ["time_mix_k": "time_mix_key", "time_mix_v": "time_mix_value", "time_mix_r": "time_mix_receptance", "time_mix_g": "time_mix_gate"]
      let end = rest.map { mixes[$0] ?? $0 }
      view.name = (["rwkv", "blocks", block, names[module] ?? module] + end).joined(separator: ".")
    case .seven:
      let names = ["ln0": "pre_norm", "ln1": "attn_norm", "ln2": "ffn_norm", "att": "attn"]
      let isFirst = block == "0"
      guard let end = module == "att" ? Self.timeMixing(rest, isFirst: isFirst, &view) : Self.channelMixing(rest, &view) else { return nil }
      view.name = (["model", "layers", block, names[module] ?? module] + end).joined(separator: ".")
    }
    return view
  }

  /// The name of a tensor outside the blocks.
  private func outside(_ name: String) -> String {
    switch (self, name) {
    case (.seven, "emb.weight"): "model.embeddings.weight"
    case (.seven, "head.weight"): "lm_head.weight"
    case (.seven, _) where name.hasPrefix("ln_out."): "model.norm.\(name.dropFirst("ln_out.".count))"
    case (.seven, _): name
    case (_, "emb.weight"): "rwkv.embeddings.weight"
    case (_, _) where name.hasPrefix("ln_out."): "rwkv.\(name)"
    default: name
    }
  }

  /// The name's end of a tensor of RWKV-7's time mixing, whose small matrices are stored input by output; nil for one that is not used.
  private static func timeMixing(_ name: [String], isFirst: Bool, _ view: inout Unpickler.TensorView) -> [String]? {
    let modules = ["receptance": "r_proj", "key": "k_proj", "value": "v_proj", "output": "o_proj", "ln_x": "g_norm"]
    if name.count == 2 { return [modules[name[0]] ?? name[0], name[1]] }
    let small = name[0]
    switch small {
    case "v0", "v1", "v2": if isFirst { return nil }
    case "k_k", "k_a": view.flatten()
    default: break
    }
    guard small.count == 2, let part = small.first, "wavg".contains(part), let number = small.last, "012".contains(number) else { return name }
    let layer = ["\(part)_lora", "lora"]
    switch number {
    case "0":
      view.flatten()
      return layer + ["2", "bias"]
    default:
      view.transpose()
      return layer + [number == "1" ? "0" : "2", "weight"]
    }
  }

  private static func channelMixing(_ name: [String], _ view: inout Unpickler.TensorView) -> [String] {
    if name == ["x_k"] { view.flatten() }
    return name
  }
}

extension Unpickler.TensorView {
  /// Exchanges rows and columns.
  fileprivate mutating func transpose() {
    guard shape.count == 2 else { return }
    (shape, strides) = (shape.reversed(), strides.reversed())
  }

  /// Leaves out the axes of one element but the last.
  fileprivate mutating func flatten() {
    guard shape.dropLast().allSatisfy({ $0 == 1 }) else { return }
    (shape, strides) = (Array(shape.suffix(1)), Array(strides.suffix(1)))
  }
}
