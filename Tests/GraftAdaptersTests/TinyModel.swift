import GraftBatching
import GraftJSON
import GraftLayers
import GraftModels
import GraftTensors
import Testing

/// A two-layer Llama with biases and random weights, the same every time.
/// - Parameter tiesHead: true where the head's matrix is the embedding's.
func makeTinyModel(tiesHead: Bool = false, style: AttentionStyle = .causal) throws -> CausalDecoder {
  let json = try JSON(
    parsing: """
      {"model_type": "llama", "vocab_size": 40, "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 4,
       "num_key_value_heads": 2, "head_dim": 4, "attention_bias": true, "mlp_bias": true, "rms_norm_eps": 1e-5,
       "tie_word_embeddings": \(tiesHead)}
      """)
  let request = ModelRequest(ArchitectureConfiguration(json, source: "tiny"), style: style)
  let model = try #require(try ModelFamily.build(request, in: Scope(source: nil, catalog: SiteCatalog())) as? CausalDecoder)
  randomize(model.catalog.parameters, deviation: 0.3)
  return model
}

/// Draws values around what they are: norms stay near 1.
func randomize(_ parameters: [Parameter], deviation: Float) {
  for parameter in parameters {
    let isNorm = parameter.path.contains("norm")
    let noise = RandomStream(seed: 3).split(parameter.path).normal(parameter.shape, standardDeviation: isNorm ? 0.1 : deviation)
    parameter.assign(isNorm ? parameter.value + noise : noise)
  }
}

let tinySequences: [[Int32]] = [[3, 17, 5, 31, 8, 2, 26], [11, 4, 39, 0, 22]]

func tinyBatch() -> Batch {
  let input = SequenceInput(tinySequences)
  let targets = tinySequences.flatMap { Array($0.dropFirst()) + [Batch.ignoredTarget] }
  return Batch(input, targets: targets)
}

extension CausalDecoder {
  /// The hidden states of both sequences.
  func states() -> [Float] { hiddenStates(SequenceInput(tinySequences), .inference).values }

  /// The mean loss with its gradients.
  func differentiate(recomputation: Bool = false) -> (loss: Float, gradients: Gradients) {
    let batch = tinyBatch()
    let tape = Tape()
    let loss = Execution(recomputation: recomputation).run {
      tape.record { self.loss(batch, Pass(isTraining: true), scale: 1 / Float(batch.lossTokenCount)) }
    }
    return (loss.scalar, tape.gradients(of: loss))
  }
}
