import GraftBatching
import GraftTensors

/// A model that predicts tokens of its vocabulary: causal, masked, or from a source.
public protocol LanguageModel: TrainableModel {
  /// `[vocabulary, hidden]`, perhaps the embedding's own matrix.
  var head: Linear { get }
  /// What the head reads at the given rows of a batch.
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
    return loss(
      ofHidden: headInputs(batch, rows: rows, pass), targets: rows.map { batch.targets[Int($0)] }, weights: batch.weights(of: rows), pass,
      scale: scale)
  }

  /// The summed negative log-likelihood of targets, times `scale`.
  /// - Parameters:
  ///   - hidden: `[targets.count, hidden]`, as `headInputs` gives them.
  ///   - weights: the factor of each target's loss; nil counts all of them once.
  /// - Returns: a scalar.
  public func loss(ofHidden hidden: Tensor, targets: [Int32], weights: [Float]? = nil, _ pass: Pass, scale: Float) -> Tensor {
    let targets = Tensor(targets)
    let weights = weights.map { Tensor($0) }
    guard head.adapter != nil else {
      return linearCrossEntropy(
        hidden, head: head.weight.matrix, bias: head.bias?.operand, targets: targets, weights: weights, options: pass.crossEntropy,
        scale: scale)
    }
    return crossEntropy(head(hidden, pass), targets: targets, weights: weights, options: pass.crossEntropy, scale: scale)
  }

  /// How each row stands to its target.
  /// - Parameters:
  ///   - hidden: `[rows, hidden]`, as `headInputs` gives them.
  ///   - targets: one a row.
  public func predictions(_ hidden: Tensor, targets: [Int32]) -> [TargetPrediction] {
    guard head.adapter != nil else {
      return targetPredictions(hidden, head: head.weight.stored, bias: head.bias?.value, targets: targets)
    }
    return targetPredictions(logits: head(hidden, .inference), targets: targets)
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
  /// What stands between the encoder's hidden states and the head.
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
    let tokens = loss(
      ofHidden: transformed(gatherRows(hidden, Tensor(rows)), pass), targets: rows.map { batch.targets[Int($0)] },
      weights: batch.weights(of: rows), pass, scale: scale)
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
