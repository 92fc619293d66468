import GraftBatching
import GraftJSON
import GraftLayers
import GraftModels
import GraftTensors
import Testing

/// A tiny model of random weights, of every family and task.
struct TinyModel: Sendable, CustomTestStringConvertible {
  let configuration: JSON
  let task: LearningTask

  var testDescription: String { "\(configuration["model_type"]?.string ?? ""), \(task.rawValue)" }

  private static let decoders: [JSON] = [
    ["model_type": "gpt2", "vocab_size": 23, "n_embd": 12, "n_layer": 2, "n_head": 3, "n_positions": 40],
    [
      "model_type": "llama", "vocab_size": 23, "hidden_size": 12, "intermediate_size": 20, "num_hidden_layers": 2,
      "num_attention_heads": 3, "num_key_value_heads": 1,
    ],
    [
      "model_type": "mistral", "vocab_size": 23, "hidden_size": 12, "intermediate_size": 20, "num_hidden_layers": 2,
      "num_attention_heads": 2, "num_key_value_heads": 2, "sliding_window": 3, "tie_word_embeddings": true,
    ],
    [
      "model_type": "qwen2", "vocab_size": 23, "hidden_size": 12, "intermediate_size": 20, "num_hidden_layers": 2,
      "num_attention_heads": 2, "num_key_value_heads": 1, "tie_word_embeddings": true,
    ],
    [
      "model_type": "qwen3", "vocab_size": 23, "hidden_size": 12, "intermediate_size": 20, "num_hidden_layers": 2,
      "num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 8,
    ],
  ]

  private static let encoders: [JSON] =
    ["bert", "roberta"].map { type in
      [
        "model_type": .string(type), "vocab_size": 23, "hidden_size": 12, "intermediate_size": 20, "num_hidden_layers": 2,
        "num_attention_heads": 3, "max_position_embeddings": 40,
      ]
    } + [
      [
        "model_type": "distilbert", "vocab_size": 23, "dim": 12, "hidden_dim": 20, "n_layers": 2, "n_heads": 3,
        "max_position_embeddings": 40,
      ]
    ]

  private static let encoderDecoders: [JSON] = [
    [
      "model_type": "t5", "vocab_size": 23, "d_model": 12, "d_kv": 5, "d_ff": 20, "num_layers": 2, "num_heads": 2,
      "relative_attention_num_buckets": 8, "relative_attention_max_distance": 9,
    ],
    [
      "model_type": "mt5", "vocab_size": 23, "d_model": 12, "d_kv": 5, "d_ff": 20, "num_layers": 2, "num_heads": 2,
      "feed_forward_proj": "gated-gelu", "tie_word_embeddings": false,
    ],
    [
      "model_type": "bart", "vocab_size": 23, "d_model": 12, "encoder_layers": 2, "decoder_layers": 2, "encoder_attention_heads": 3,
      "decoder_attention_heads": 2, "encoder_ffn_dim": 20, "decoder_ffn_dim": 18, "max_position_embeddings": 40,
    ],
    ["model_type": "transformer", "vocab_size": 23, "d_model": 12, "num_layers": 2, "num_heads": 3],
  ]

  static let causal = decoders.map { TinyModel(configuration: $0, task: .causalLM) }
  static let masked = encoders.map { TinyModel(configuration: $0, task: .maskedLM) }
  static let sequenceToSequence = encoderDecoders.map { TinyModel(configuration: $0, task: .seq2seqLM) }
  static let textClassifiers = (decoders + encoders).map { TinyModel(configuration: $0, task: .sequenceClassification) }
  static let tokenClassifiers = (decoders + encoders).map { TinyModel(configuration: $0, task: .tokenClassification) }
  static let all = causal + masked + sequenceToSequence + textClassifiers + tokenClassifiers

  func build(
    style: AttentionStyle? = nil, frozenType: ElementFormat = .float32, isTrainable: Bool = false
  ) throws -> any TrainableModel {
    let scope = Scope(source: nil, catalog: SiteCatalog(), frozenType: frozenType, seed: 7, isTrainable: isTrainable)
    let config = ArchitectureConfiguration(configuration, source: "config.json")
    return try #require(try ModelFamily.build(ModelRequest(config, task: task, labels: 3, style: style), in: scope) as? any TrainableModel)
  }

  /// Three documents of different lengths.
  var examples: [EncodedExample] {
    [5, 1, 9].enumerated().map { index, count in
      let tokens = (0..<count).map { Int32(($0 * 5 + index * 3 + 2) % 23) }
      return EncodedExample(
        tokens: tokens, label: .class(index), source: task == .seq2seqLM ? (0...count).map { Int32(($0 * 7 + index) % 23) } : nil,
        tokenLabels: tokens.map { $0 % 3 })
    }
  }
}
