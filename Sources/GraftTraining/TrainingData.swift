import GraftBatching

/// The examples of a training: which of them every step reads, and the batches they make.
public protocol TrainingData {
  /// Returns the steps `range`, counted over all epochs.
  func steps(_ range: Range<Int>) -> StepSequence

  /// Returns the batch of a micro-batch.
  ///
  /// - Parameters:
  ///   - examples: the indices of its examples, as a step lists them.
  ///   - epoch: the step's epoch, on which masks and the like may depend.
  /// - Throws: what reading the examples throws.
  func batch(_ examples: [Int], ofEpoch epoch: Int) throws -> Batch
}
