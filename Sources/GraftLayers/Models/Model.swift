import GraftBatching
import GraftTensors

/// A network whose parameters and sites are in a catalog.
public protocol Model: AnyObject {
  /// Such as `llama`.
  var modelType: String { get }
  var catalog: SiteCatalog { get }
  var vocabularySize: Int { get }
  var hiddenSize: Int { get }
  /// The most tokens of a sequence, where the positions are learned; nil where they can go on.
  var maximumLength: Int? { get }
}

/// A model that predicts the next token: the decoders.
public protocol CausalLanguageModel: Model {
  /// `[vocabulary, hidden]`, perhaps the embedding's own matrix.
  var head: Linear { get }
  /// The last hidden states, after the final norm.
  /// - Returns: `[rows, hidden]`.
  func hiddenStates(_ input: SequenceInput, _ pass: Pass) -> Tensor
}

extension CausalLanguageModel {
  /// The summed negative log-likelihood of a batch's targets, times `scale`.
  ///
  /// Only the rows that carry loss reach the head.
  /// - Returns: a scalar.
  public func loss(_ batch: Batch, _ pass: Pass, scale: Float = 1) -> Tensor {
    let rows = batch.lossRows
    let hidden = gatherRows(hiddenStates(SequenceInput(batch), pass), Tensor(rows))
    let targets = Tensor(rows.map { batch.targets[Int($0)] })
    guard head.adapter != nil else {
      return linearCrossEntropy(hidden, head: head.weight.operand, bias: head.bias?.operand, targets: targets, scale: scale)
    }
    return crossEntropy(head(hidden, pass), targets: targets, scale: scale)
  }

  /// How each row stands to its target.
  /// - Parameters:
  ///   - hidden: `[rows, hidden]`.
  ///   - targets: one a row.
  public func predictions(_ hidden: Tensor, targets: [Int32]) -> [TargetPrediction] {
    guard head.adapter != nil else {
      return targetPredictions(hidden, head: head.weight.value, bias: head.bias?.value, targets: targets)
    }
    return targetPredictions(logits: head(hidden, .inference), targets: targets)
  }
}

extension Batch {
  /// The rows that carry loss, in order.
  public var lossRows: [Int32] {
    targets.indices.compactMap { targets[$0] == Self.ignoredTarget ? nil : Int32($0) }
  }
}
