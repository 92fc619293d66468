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
    let hidden = headInputs(batch, rows: rows, pass)
    let targets = Tensor(rows.map { batch.targets[Int($0)] })
    guard head.adapter != nil else {
      return linearCrossEntropy(hidden, head: head.weight.operand, bias: head.bias?.operand, targets: targets, scale: scale)
    }
    return crossEntropy(head(hidden, pass), targets: targets, scale: scale)
  }

  /// How each row stands to its target.
  /// - Parameters:
  ///   - hidden: `[rows, hidden]`, as `headInputs` gives them.
  ///   - targets: one a row.
  public func predictions(_ hidden: Tensor, targets: [Int32]) -> [TargetPrediction] {
    guard head.adapter != nil else {
      return targetPredictions(hidden, head: head.weight.value, bias: head.bias?.value, targets: targets)
    }
    return targetPredictions(logits: head(hidden, .inference), targets: targets)
  }
}

/// A model that predicts the next token: the decoders.
public protocol CausalLanguageModel: LanguageModel {}

extension CausalLanguageModel {
  public func headInputs(_ batch: Batch, rows: [Int32], _ pass: Pass) -> Tensor {
    gatherRows(hiddenStates(SequenceInput(batch), pass), Tensor(rows))
  }
}

/// A model that predicts the tokens behind masks: the encoders.
public protocol MaskedLanguageModel: LanguageModel {
  /// What stands between the encoder's hidden states and the head.
  /// - Parameter hidden: `[rows, hidden]`.
  func transformed(_ hidden: Tensor, _ pass: Pass) -> Tensor
}

extension MaskedLanguageModel {
  public func headInputs(_ batch: Batch, rows: [Int32], _ pass: Pass) -> Tensor {
    transformed(gatherRows(hiddenStates(SequenceInput(batch), pass), Tensor(rows)), pass)
  }
}
