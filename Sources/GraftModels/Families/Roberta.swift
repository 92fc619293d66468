import GraftBatching
import GraftLayers
import GraftTensors

/// RoBERTa: BERT's encoder, trained longer and without a second objective, under heads of its own (Liu et al. 2019).
enum Roberta {
  /// RoBERTa for a task.
  static func build(_ request: ModelRequest, in scope: Scope) throws -> any Model {
    let c = try Bert.Configuration(request, modelType: "roberta")
    let tying = Tying(of: scope / "lm_head" / "decoder", to: scope / "roberta" / "embeddings" / "word_embeddings", isOn: c.tiesHead)
    let encoder = try Bert(c, modelType: "roberta", in: scope)
    if request.isHeadless { return encoder }
    let width = c.hiddenSize
    func linear(_ scope: Scope, out outputs: Int, _ role: Role?) throws -> Linear {
      try Linear(scope, in: width, out: outputs, bias: true, role: role, initializer: c.initializer, fallsBack: true)
    }
    switch request.task {
    case .maskedLM:
      let head = scope / "lm_head"
      let dense = try Linear(head / "dense", in: width, out: width, bias: true, initializer: c.initializer)
      let norm = try Norm(head / "layer_norm", width: width, epsilon: c.epsilon, kind: .layer, bias: true)
      let decoder = try MaskedPredictor.decoder(in: head, over: encoder.tokens, tying, c.initializer)
      let predictionHead = MaskedLanguageModelHead(dense: dense, activation: Nonlinearity(.gelu), norm: norm, decoder: decoder)
      return MaskedPredictor(encoder, head: predictionHead)
    case .sequenceClassification:
      let classifier = scope / "classifier"
      let head = ClassificationHead(
        dense: try linear(classifier / "dense", out: width, .pooler), activation: .tanh,
        output: try linear(classifier / "out_proj", out: try request.labelCount(), .classifier), inputDropout: c.classifierDropout,
        dropout: c.classifierDropout)
      return TextClassifier(encoder: encoder, head: head, problem: try request.problem())
    case .tokenClassification:
      let output = try linear(scope / "classifier", out: try request.labelCount(), .classifier)
      return TokenLabeler(encoder, head: ClassificationHead(output: output, dropout: c.classifierDropout))
    case .causalLM, .seq2seqLM:
      throw request.unsupportedTask("roberta", supported: [.maskedLM, .sequenceClassification, .tokenClassification])
    }
  }
}
