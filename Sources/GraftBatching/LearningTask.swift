/// The task of a model.
public enum LearningTask: String, Sendable, CaseIterable {
  /// The next token of a text.
  case causalLM = "causal_lm"
  /// A target text, given a source.
  case seq2seqLM = "seq2seq_lm"
  /// The tokens hidden behind masks.
  case maskedLM = "masked_lm"
  /// One label for a text or a pair of texts.
  case sequenceClassification = "sequence_classification"
  /// One label for every token.
  case tokenClassification = "token_classification"
  /// Answers to prompts, some better than others.
  case preference

  /// The task of the model that learns this one: preferences are learned by what predicts the next token.
  public var ofModel: LearningTask { self == .preference ? .causalLM : self }
}
