import GraftBatching
import GraftJSON
import GraftLayers
import GraftModels
import GraftTensors
import Testing

/// A family with one of its dropout keys.
struct DropoutCase: Sendable, CustomTestStringConvertible {
  let type: String, key: String
  var task: LearningTask?

  var testDescription: String { "\(type), \(key)" }

  private static let keys: [String: [String]] = [
    "gpt2": ["embd_pdrop", "resid_pdrop", "attn_pdrop", "classifier_dropout"], "llama": ["attention_dropout", "classifier_dropout"],
    "mistral": ["attention_dropout"], "qwen": ["emb_dropout_prob", "attn_dropout_prob"], "qwen2": ["attention_dropout"],
    "qwen3": ["attention_dropout"],
    "bert": ["hidden_dropout_prob", "attention_probs_dropout_prob", "classifier_dropout"],
    "roberta": ["hidden_dropout_prob", "attention_probs_dropout_prob", "classifier_dropout"],
    "distilbert": ["dropout", "attention_dropout", "seq_classif_dropout"], "t5": ["dropout_rate"],
    "bart": ["dropout", "activation_dropout", "attention_dropout"], "transformer": ["dropout"],
  ]

  static let all = keys.sorted { $0.key < $1.key }.flatMap { type, keys in keys.map { DropoutCase(type: type, key: $0, task: task(type, $0)) } }

  /// Classifiers have their own dropout: GPT-2's and Llama's is their token classifiers'.
  private static func task(_ type: String, _ key: String) -> LearningTask? {
    guard key.contains("classif") else { return nil }
    return type == "gpt2" || type == "llama" ? .tokenClassification : .sequenceClassification
  }

  /// A tiny model with this key's dropout and no other.
  func model(_ probability: Double) throws -> (model: any TrainableModel, tiny: TinyModel) {
    let plain = try #require(TinyModel.all.first { $0.configuration["model_type"]?.string == type && (task == nil || $0.task == task) })
    let off = Set(Self.keys[type] ?? []).union(["hidden_dropout", "classifier_dropout"])
    let members = (plain.configuration.object.map { Array($0) } ?? []).map { ($0.key, $0.value) }
    let changed = JSON.object(JSONObject(members + off.sorted().map { ($0, .number($0 == key ? probability : 0)) }))
    let tiny = TinyModel(configuration: changed, task: plain.task)
    return (try tiny.build(), tiny)
  }
}

@Suite("Dropout of every family")
struct DropoutTests {
  /// Each key draws from the pass's stream, in training only, and from nothing else.
  @Test(arguments: DropoutCase.all)
  func everyKeyIsRead(_ dropout: DropoutCase) throws {
    let (model, tiny) = try dropout.model(0.5)
    let (still, _) = try dropout.model(0)
    let batch = Batch(collating: tiny.examples, objective: tiny.task.objective(for: model))
    func outputs(_ model: any TrainableModel, _ pass: Pass) -> [Float] {
      var outputs = [model.loss(batch, pass, scale: 1).scalar]
      if let model = model as? any SequenceToSequenceModel {
        outputs += model.headInputs(batch, rows: batch.lossRows, pass).values
      } else {
        outputs += model.hiddenStates(batch.input, pass).values
      }
      if let model = model as? any TokenClassifier { outputs += model.logits(batch.input, pass).values }
      if let model = model as? any SequenceClassifier { outputs += model.logits(batch.input, pass).values }
      return outputs
    }
    func training(_ seed: UInt64) -> Pass { Pass(isTraining: true, random: RandomStream(seed: seed)) }
    let first = outputs(model, training(1))
    #expect(first != outputs(model, .inference))
    #expect(first != outputs(model, training(2)))
    #expect(first == outputs(model, training(1)))
    #expect(outputs(still, training(1)) == outputs(still, .inference))
    #expect(outputs(model, .inference) == outputs(still, .inference))
  }

  /// Every place where a family drops elements of its residual stream has a mask of its own.
  ///
  /// With constant matrices each half of a block adds the same number to all columns of a row, and dropout leaves it in some
  /// of them: `places` independent masks make 2^places different values, and a mask that is missing or drawn twice half as many.
  @Test(arguments: [
    // Embeddings, and both halves of two blocks.
    ("gpt2", "resid_pdrop", 5), ("bert", "hidden_dropout_prob", 5), ("roberta", "hidden_dropout_prob", 5),
    // Embeddings, and the feed-forward of two blocks.
    ("distilbert", "dropout", 3),
    // Embeddings, and the three halves of the decoder's block.
    ("bart", "dropout", 4), ("t5", "dropout_rate", 4),
  ])
  func everyPlaceHasItsOwnMask(_ type: String, _ key: String, _ places: Int) throws {
    let width = 512
    let layers = places == 4 ? 1 : 2
    let sizes: [String: JSON] = [
      "vocab_size": 23, "n_embd": .integer(width), "n_layer": .integer(layers), "n_head": 1, "n_inner": 8, "n_positions": 16,
      "hidden_size": .integer(width), "num_hidden_layers": .integer(layers), "num_attention_heads": 1, "intermediate_size": 8,
      "max_position_embeddings": 16, "dim": .integer(width), "n_layers": .integer(layers), "n_heads": 1, "hidden_dim": 8,
      "d_model": .integer(width), "d_kv": 8, "d_ff": 8, "num_layers": .integer(layers), "num_heads": 1, "encoder_layers": 1,
      "decoder_layers": .integer(layers), "encoder_attention_heads": 1, "decoder_attention_heads": 1, "encoder_ffn_dim": 8,
      "decoder_ffn_dim": 8, "attn_pdrop": 0, "attention_probs_dropout_prob": 0, "attention_dropout": 0, "activation_dropout": 0,
      "model_type": .string(type), "embd_pdrop": 0.5, key: 0.5,
    ]
    let isDecoder = places == 4
    let task: LearningTask = isDecoder ? .seq2seqLM : type == "gpt2" ? .causalLM : .maskedLM
    let scope = Scope(source: nil, catalog: SiteCatalog())
    let config = ArchitectureConfiguration(.object(JSONObject(sizes.map { ($0.key, $0.value) })), source: "config.json")
    let model = try ModelFamily.build(ModelRequest(config, task: task), in: scope)
    for parameter in model.catalog.parameters {
      // Another for each, so that no two halves of blocks add the same.
      let value = parameter.shape.rank == 1 ? 1 : (2 + RandomStream(seed: 1).split(parameter.path).unit(at: 0)) / Float(width)
      parameter.assign(Tensor(repeating: value, shape: parameter.shape))
    }
    // So many keys that dropout of probabilities leaves every row some.
    let input = SequenceInput([[5, 3, 8, 1, 1, 0, 22, 9, 4, 17, 6, 2]])
    let pass = Pass(isTraining: true, random: RandomStream(seed: 4))
    let states: Tensor
    if let model = model as? any SequenceToSequenceModel {
      states = model.decode(input, over: model.encode(input, pass), pass)
    } else {
      states = model.hiddenStates(input, pass)
    }
    for row in 9..<12 {
      let values = states.rows(row..<row + 1).values.sorted()
      let range = values[width - 1] - values[0]
      let distinct = 1 + zip(values, values.dropFirst()).count { $1 - $0 > 1e-4 * range }
      #expect(distinct == 1 << places, "row \(row): \(distinct) values")
      // T5 also drops elements of what comes out.
      let zeros = values.count { $0 == 0 }
      #expect(type == "t5" ? zeros > width * 2 / 5 : zeros < width / 5, "row \(row): \(zeros) zeros")
    }
  }
}
