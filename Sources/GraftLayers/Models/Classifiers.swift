import GraftBatching
import GraftTensors

/// A model that gives a whole text its label.
public protocol SequenceClassifier: TrainableModel {
  /// The number of outputs, one for each label.
  var labelCount: Int { get }
  /// The kind of labels: one of several, several at once, or a value.
  var problem: ClassificationProblem { get }
  /// - Returns: `[documents, labels]`.
  func logits(_ input: SequenceInput, _ pass: Pass) -> Tensor
}

extension SequenceClassifier {
  /// The sum over documents of the problem's loss, itself a mean over the labels where there are several, times `scale`.
  /// - Precondition: one label a document, of the problem's kind.
  public func loss(_ batch: Batch, _ pass: Pass, scale: Float = 1) -> Tensor {
    let logits = logits(batch.input, pass)
    let perLabel = scale / Float(labelCount)
    switch problem {
    case .singleLabel:
      let classes = batch.labels.map { label -> Int32 in
        guard case .class(let index) = label else { preconditionFailure("\(modelType): \(label) is no class") }
        return Int32(index)
      }
      return crossEntropy(logits, targets: Tensor(classes), options: pass.crossEntropy, scale: scale)
    case .multiLabel:
      // The two-class cross-entropy of (0, z) is the binary one of z.
      let pairs = linear(logits.reshaped(to: [logits.elementCount, 1]), Tensor([0, 1], [2, 1]))
      let members = batch.labels.flatMap(memberships)
      return crossEntropy(pairs, targets: Tensor(members), weights: memberWeights(members, pass), scale: perLabel)
    case .regression:
      let values = batch.labels.flatMap { label -> [Float] in
        switch label {
        case .value(let value): [value]
        case .values(let values): values
        case .class(let index): [Float(index)]
        case .classes: preconditionFailure("\(modelType): \(label) is no number")
        }
      }
      let errors = logits - Tensor(values, logits.shape)
      return perLabel * sum(errors * errors)
    }
  }

  /// The weight of a class counts where a text has it, as torch's `pos_weight` does; nil where all count once.
  private func memberWeights(_ members: [Int32], _ pass: Pass) -> Tensor? {
    guard let weights = pass.crossEntropy.classWeights else { return nil }
    return Tensor(members.enumerated().map { $1 == 1 ? weights[$0 % weights.count] : 1 })
  }

  private func memberships(of label: ExampleLabel) -> [Int32] {
    let members: Set<Int> =
      switch label {
      case .class(let index): [index]
      case .classes(let indices): indices
      case .value, .values: preconditionFailure("\(modelType): \(label) is no set of classes")
      }
    return (0..<labelCount).map { members.contains($0) ? 1 : 0 }
  }
}

/// A model that gives every token its label.
public protocol TokenClassifier: TrainableModel {
  /// The number of labels.
  var labelCount: Int { get }
  /// - Returns: `[rows, labels]`.
  func logits(_ input: SequenceInput, _ pass: Pass) -> Tensor
}

extension TokenClassifier {
  /// The summed cross-entropy of the rows that carry loss, times `scale`.
  public func loss(_ batch: Batch, _ pass: Pass, scale: Float = 1) -> Tensor {
    let rows = batch.lossRows
    let scored = gatherRows(logits(batch.input, pass), Tensor(rows))
    return crossEntropy(
      scored, targets: Tensor(rows.map { batch.targets[Int($0)] }), weights: batch.weights(of: rows).map { Tensor($0) },
      options: pass.crossEntropy, scale: scale)
  }
}
