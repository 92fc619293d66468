import Foundation
import GraftBatching
import GraftLayers
import GraftTensors

/// What a language model makes of held-out text.
public struct LanguageEvaluation: Sendable, Equatable {
  /// The mean over all loss-carrying tokens.
  public var loss: Double
  /// The share of loss-carrying tokens that were the model's first choice.
  public var tokenAccuracy: Double
  public var tokenCount: Int

  public var perplexity: Double { exp(loss) }

  /// Evaluates over batches; nothing is kept between them.
  public init(of model: any CausalLanguageModel, batches: some Sequence<Batch>) {
    var total = 0.0, hits = 0, count = 0
    for batch in batches {
      let rows = batch.lossRows
      guard !rows.isEmpty else { continue }
      let hidden = gatherRows(model.hiddenStates(SequenceInput(batch), .inference), Tensor(rows))
      let predictions = model.predictions(hidden, targets: rows.map { batch.targets[Int($0)] })
      for prediction in predictions {
        total -= Double(prediction.logProbability)
        hits += prediction.isFirstChoice ? 1 : 0
      }
      count += rows.count
    }
    loss = total / Double(max(1, count))
    tokenAccuracy = Double(hits) / Double(max(1, count))
    tokenCount = count
  }
}
