import GraftCheckpoints
import GraftLayers
import GraftTensors

extension GGUFFamily {
  /// The family's own keys, as llama.cpp's converter writes them.
  ///
  /// - Throws: `ArchitectureError` where the model computes something that llama.cpp would not.
  package func metadata() throws -> [(key: String, value: GGUFValue)] {
    switch kind {
    case .llama(let c): try metadata(c)
    case .gpt2(let c): try metadata(c)
    }
  }

  private func count(_ key: String, _ value: Int) -> (key: String, value: GGUFValue) { ("\(architecture).\(key)", .uint32(UInt32(clamping: value))) }

  private func number(_ key: String, _ value: Float) -> (key: String, value: GGUFValue) { ("\(architecture).\(key)", .float32(value)) }

  private func refuse(_ what: String) -> ArchitectureError {
    ArchitectureError("\(configuration.source): \(what) has no counterpart in llama.cpp; use --format hf")
  }

  private func metadata(_ c: Llama.Configuration) throws -> [(key: String, value: GGUFValue)] {
    guard c.activation == .fixed(.silu) else { throw refuse("hidden_act other than silu") }
    guard architecture != "qwen3" || !(c.hasInputBias || c.hasOutputBias), !c.hasFeedForwardBias || architecture == "llama" else {
      throw refuse("a bias in \(architecture)")
    }
    let length = try configuration.count("max_position_embeddings")
    var metadata = [
      count("vocab_size", c.vocabularySize), count("block_count", c.layers), count("context_length", length),
      count("embedding_length", c.hiddenSize), count("feed_forward_length", c.intermediateSize), count("attention.head_count", c.heads),
      count("attention.head_count_kv", c.keyValueHeads), count("attention.key_length", c.headSize),
      count("attention.value_length", c.headSize), number("attention.layer_norm_rms_epsilon", c.epsilon),
      count("rope.dimension_count", c.rotary.rotatedSize), number("rope.freq_base", c.rotary.base),
    ]
    func scaling(_ type: String, _ factor: Float) -> [(key: String, value: GGUFValue)] {
      [("\(architecture).rope.scaling.type", .string(type)), number("rope.scaling.factor", factor)]
    }
    switch c.rotary.scaling {
    case .none, .llama3: break
    case .linear(let factor): metadata += scaling("linear", factor)
    case .yarn(let factor, _, _, let originalLength, _, _):
      metadata += scaling("yarn", factor) + [count("rope.scaling.original_context_length", originalLength)]
    case .dynamic: throw refuse("dynamic rotary scaling")
    case .longRope: throw refuse("longrope rotary scaling")
    case .proportional: throw refuse("proportional rotary scaling")
    }
    if let window = c.windows.compactMap(\.self).min() { metadata.append(count("attention.sliding_window", window)) }
    return metadata
  }

  private func metadata(_ c: GPT2.Configuration) throws -> [(key: String, value: GGUFValue)] {
    guard c.activation == .fixed(.geluTanh) else { throw refuse("activation_function other than gelu_new") }
    guard c.scalesScores, !c.scalesScoresByLayer else { throw refuse("another scale of attention scores") }
    return [
      count("vocab_size", c.vocabularySize), count("block_count", c.layers), count("context_length", c.positions),
      count("embedding_length", c.hiddenSize), count("feed_forward_length", c.intermediateSize), count("attention.head_count", c.heads),
      number("attention.layer_norm_epsilon", c.epsilon),
    ]
  }

  /// What llama.cpp divides each rotary frequency by, where a model blends stretched and untouched ones; nil otherwise.
  package func rotaryFactors() -> [Float]? {
    guard case .llama(let c) = kind, case .llama3 = c.rotary.scaling else { return nil }
    var plain = c.rotary
    plain.scaling = .none
    return zip(plain.inverseFrequencies(length: 1), c.rotary.inverseFrequencies(length: 1)).map { $0 / $1 }
  }

  /// What somebody who uses the file should know.
  package func notes() throws -> [String] {
    guard case .llama(let c) = kind, let window = c.windows.compactMap(\.self).min() else { return [] }
    let length = try configuration.count("max_position_embeddings")
    guard window < length else { return [] }
    return ["llama.cpp attends to everything here, the model to the last \(window) tokens: results differ beyond \(window) tokens"]
  }
}
