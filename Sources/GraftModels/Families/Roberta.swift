import GraftBatching
import GraftLayers
import GraftTensors

extension ModelFamily {
  /// RoBERTa.
  public static let roberta = ModelFamily(
    "roberta", classNames: "Roberta", tasks: [.maskedLM, .sequenceClassification, .tokenClassification], fixedStyle: .bidirectional,
    configuration: ConfigurationKeys(.bert + [.read("pad_token_id", 1)]),
    tensors: TensorNames(
      base: "roberta",
      vocabulary: ["word_embeddings.weight", "lm_head.weight", "lm_head.bias", "lm_head.decoder.weight", "lm_head.decoder.bias"],
      classifiers: ["classifier", "classifier.out_proj"], formerEnds: TensorNames.formerNorms),
    defaultTargets: Bert.defaultTargets, build: Roberta.build)
}

/// RoBERTa: BERT's encoder, trained longer and without a second objective, under heads of its own (Liu et al. 2019).
enum Roberta {
  /// BERT's configuration, with positions that start behind the padding's id.
  private static func configuration(_ config: ArchitectureConfiguration) throws(ArchitectureError) -> Bert.Configuration {
    var c = try Bert.Configuration(config)
    c.firstPosition = try config.int("pad_token_id") + 1
    c.skipsPadding = true
    guard 0..<c.positions ~= c.firstPosition else {
      throw config.fail("pad_token_id", "leaves no position of \(c.positions); positions start behind it")
    }
    return c
  }

  /// Builds RoBERTa for a task.
  @Sendable static func build(_ request: ModelRequest, in scope: Scope) throws -> any Model {
    let c = try configuration(request.config)
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
    case .causalLM, .seq2seqLM, .preference:
      throw request.unsupportedTask("roberta", supported: ModelFamily.roberta.tasks)
    }
  }
}
