import GraftBatching
import GraftTensors

/// A model that predicts tokens of its vocabulary: causal, masked, or from a source.
public protocol LanguageModel: TrainableModel {
  /// The layer from hidden states to the logits of the vocabulary.
  var head: LanguageModelHead { get }
  /// The states that the head reads at the given rows of a batch.
  /// - Returns: `[rows.count, hidden]`.
  func headInputs(_ batch: Batch, rows: [Int32], _ pass: Pass) -> Tensor
}

extension LanguageModel {
  /// The summed negative log-likelihood of a batch's targets, times `scale`.
  ///
  /// Only the rows that carry loss reach the head.
  /// - Returns: a scalar.
  public func loss(_ batch: Batch, _ pass: Pass, scale: Float = 1) -> Tensor {
    let rows = batch.lossRows
    return head.loss(
      headInputs(batch, rows: rows, pass), targets: batch.targets(of: rows), weights: batch.weights(of: rows), pass, scale: scale)
  }

  /// The logarithms of the probabilities of a batch's targets, each tracked.
  /// - Returns: `[batch.lossRows.count]`.
  public func logProbabilities(_ batch: Batch, _ pass: Pass) -> Tensor {
    let rows = batch.lossRows
    return head.logProbabilities(headInputs(batch, rows: rows, pass), targets: Tensor(batch.targets(of: rows)), pass)
  }

  /// Returns the prediction of each of a batch's targets, in the order of `batch.lossRows`, without a gradient.
  public func predictions(_ batch: Batch) -> [TargetPrediction] {
    let rows = batch.lossRows
    return head.predictions(headInputs(batch, rows: rows, .inference), targets: batch.targets(of: rows))
  }
}

/// A model that predicts the next token: the decoders.
public protocol CausalLanguageModel: LanguageModel {}

extension CausalLanguageModel {
  public func headInputs(_ batch: Batch, rows: [Int32], _ pass: Pass) -> Tensor {
    gatherRows(hiddenStates(batch.input, pass), Tensor(rows))
  }
}

/// A model that predicts the tokens behind masks: the encoders.
public protocol MaskedLanguageModel: LanguageModel {
  /// The layers between the encoder's hidden states and the head.
  /// - Parameter hidden: `[rows, hidden]`.
  func transformed(_ hidden: Tensor, _ pass: Pass) -> Tensor
}

/// A masked language model that also tells whether the second of two segments follows the first.
public protocol SentencePairModel: MaskedLanguageModel {
  /// - Parameter hidden: `[rows, hidden]`, the encoder's states of the input.
  /// - Returns: `[documents, 2]`: that it follows, and that it does not.
  func nextSentenceLogits(_ hidden: Tensor, _ input: SequenceInput, _ pass: Pass) -> Tensor
}

extension SentencePairModel {
  /// The masked tokens' loss, and the pairs' with the weight that makes a batch's loss the sum of two means
  /// (Devlin et al. 2019, appendix A.2).
  public func loss(_ batch: Batch, _ pass: Pass, scale: Float = 1) -> Tensor {
    let input = batch.input
    let hidden = hiddenStates(input, pass)
    let rows = batch.lossRows
    let tokens = head.loss(
      transformed(gatherRows(hidden, Tensor(rows)), pass), targets: batch.targets(of: rows), weights: batch.weights(of: rows), pass, scale: scale)
    guard !batch.labels.isEmpty else { return tokens }
    let classes = batch.labels.map { label -> Int32 in
      guard case .class(let index) = label else { preconditionFailure("\(modelType): \(label) is no class") }
      return Int32(index)
    }
    let weight = scale * Float(batch.lossTermCount) / Float(classes.count)
    return tokens + crossEntropy(nextSentenceLogits(hidden, input, pass), targets: Tensor(classes), scale: weight)
  }
}

extension MaskedLanguageModel {
  public func headInputs(_ batch: Batch, rows: [Int32], _ pass: Pass) -> Tensor {
    transformed(gatherRows(hiddenStates(batch.input, pass), Tensor(rows)), pass)
  }
}
