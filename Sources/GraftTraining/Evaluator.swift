import Foundation
import GraftBatching
import GraftLayers
import GraftTensors

/// The metrics of a model on held-out examples: its loss, and those of its task.
///
/// Processes that evaluate together share the batches out by number, and come to the same metrics.
public struct Evaluator {
  private let communicator: any Communicator
  private let isInterrupted: () -> Bool

  private init(_ communicator: any Communicator, isInterrupted: @escaping () -> Bool) {
    (self.communicator, self.isInterrupted) = (communicator, isInterrupted)
  }

  /// The metrics by name, `loss` first, over batches of which nothing is kept.
  ///
  /// - Parameters:
  ///   - communicator: the processes that evaluate together, each of which is given all batches.
  ///   - isInterrupted: asked before every batch; true leaves out those that are left, so that the metrics say nothing.
  /// - Throws: what the communicator throws.
  public static func metrics(
    of model: any TrainableModel, batches: some Sequence<Batch>, communicator: any Communicator = SingleProcess(),
    isInterrupted: @escaping () -> Bool = { false }
  ) throws -> MetricValues {
    let evaluator = Evaluator(communicator, isInterrupted: isInterrupted)
    return switch model {
    case let model as any SentencePairModel: try evaluator.pairMetrics(model, batches)
    case let model as any LanguageModel: try evaluator.tokenMetrics(model, batches)
    case let model as any SequenceClassifier: try evaluator.labelMetrics(model, batches)
    case let model as any TokenClassifier: try evaluator.tokenLabelMetrics(model, batches)
    default: [("loss", try evaluator.meanLoss(model, batches))]
    }
  }

  /// Returns true for a batch that this process computes: every `size`-th, from its rank on.
  private func computes(_ index: Int) -> Bool { index % communicator.size == communicator.rank && !isInterrupted() }

  /// Returns the sums of numbers over all processes.
  private func sums(_ values: [Double]) throws -> [Double] {
    var values = values
    try communicator.sum(&values)
    return values
  }

  /// The loss is the training's, with the weights of its terms; perplexity and accuracy are of the scored tokens as they are.
  private func tokenMetrics(_ model: any LanguageModel, _ batches: some Sequence<Batch>) throws -> MetricValues {
    var total = 0.0
    var weighted = 0.0
    var hits = 0
    var count = 0
    for (index, batch) in batches.enumerated() where computes(index) {
      let rows = batch.lossRows
      guard !rows.isEmpty else { continue }
      let weights = batch.weights(of: rows)
      for (index, prediction) in model.predictions(batch).enumerated() {
        total -= Double(prediction.logProbability)
        weighted -= Double(prediction.logProbability) * Double(weights?[index] ?? 1)
        hits += prediction.isFirstChoice ? 1 : 0
      }
      count += rows.count
    }
    let all = try sums([total, weighted, Double(hits), Double(count)])
    let terms = max(1, all[3])
    return [("loss", all[1] / terms), ("perplexity", exp(all[0] / terms)), ("token_accuracy", all[2] / terms)]
  }

  /// The metrics of the masked tokens, with the loss of the pairs added to theirs and the share of pairs told right.
  private func pairMetrics(_ model: any SentencePairModel, _ batches: some Sequence<Batch>) throws -> MetricValues {
    var metrics = try tokenMetrics(model, batches)
    var loss = 0.0
    var hits = 0
    var count = 0
    for (index, batch) in batches.enumerated() where !batch.labels.isEmpty && computes(index) {
      let input = batch.input
      let logits = model.nextSentenceLogits(model.hiddenStates(input, .inference), input, .inference).values
      for (row, label) in batch.labels.enumerated() {
        guard case .class(let index) = label else { continue }
        let other = Double(logits[2 * row + 1 - index]) - Double(logits[2 * row + index])
        loss += max(other, 0) + log1p(exp(-abs(other)))
        hits += other < 0 ? 1 : 0
        count += 1
      }
    }
    let all = try sums([loss, Double(hits), Double(count)])
    guard all[2] > 0 else { return metrics }
    metrics[0].value += all[0] / all[2]
    return metrics + [("next_sentence_accuracy", all[1] / all[2])]
  }

  private func labelMetrics(_ model: any SequenceClassifier, _ batches: some Sequence<Batch>) throws -> MetricValues {
    var loss = 0.0
    var labels: [ExampleLabel] = []
    // A row of logits for each example: zeros for those of other processes, so that the sum is whole.
    var logits: [Double] = []
    for (index, batch) in batches.enumerated() {
      labels += batch.labels
      if computes(index) {
        loss += Double(model.loss(batch, .inference, scale: 1).scalar)
        logits += model.logits(batch.input, .inference).values.map(Double.init)
      } else {
        logits += repeatElement(0, count: batch.labels.count * model.labelCount)
      }
    }
    loss = try sums([loss])[0] / Double(max(1, labels.count))
    return [("loss", loss)] + Self.metrics(of: labels, logits: try sums(logits), width: model.labelCount)
  }

  /// The metrics of whole examples: of several classes, of one of two, or of numbers.
  private static func metrics(of labels: [ExampleLabel], logits: [Double], width: Int) -> MetricValues {
    var predicted: [Int] = []
    var actual: [Int] = []
    var outputs: [Double] = []
    var values: [Double] = []
    var sets = MultiLabelTable(classes: width)
    for (row, label) in labels.enumerated() {
      let line = logits[row * width..<(row + 1) * width]
      switch label {
      case .class(let index):
        actual.append(index)
        predicted.append(line.largestIndex)
      case .value(let value):
        values.append(Double(value))
        outputs.append(line[line.startIndex])
      case .values(let wanted):
        values += wanted.map(Double.init)
        outputs += line
      case .classes(let wanted):
        sets.count(predicted: Set(line.indices.filter { line[$0] > 0 }.map { $0 - line.startIndex }), actual: wanted)
      }
    }
    if !values.isEmpty { return [("pearson", Metrics.pearson(outputs, values)), ("spearman", Metrics.spearman(outputs, values))] }
    if sets.exampleCount > 0 {
      return [("subset_accuracy", sets.subsetAccuracy), ("micro_f1", sets.microF1), ("macro_f1", sets.macroF1)]
    }
    guard !actual.isEmpty else { return [] }
    let table = ConfusionTable(predicted: predicted, actual: actual)
    return [("accuracy", table.accuracy), ("f1", table.macroF1), ("matthews_correlation", table.matthewsCorrelation)]
  }

  private func tokenLabelMetrics(_ model: any TokenClassifier, _ batches: some Sequence<Batch>) throws -> MetricValues {
    var loss = 0.0
    var predicted: [Double] = []
    var actual: [Int] = []
    for (index, batch) in batches.enumerated() {
      let rows = batch.lossRows.map(Int.init)
      actual += rows.map { Int(batch.targets[$0]) }
      guard computes(index) else {
        predicted += repeatElement(0, count: rows.count)
        continue
      }
      loss += Double(model.loss(batch, .inference, scale: 1).scalar)
      let logits = model.logits(batch.input, .inference).values
      let width = model.labelCount
      predicted += rows.map { Double(logits[$0 * width..<($0 + 1) * width].largestIndex) }
    }
    loss = try sums([loss])[0] / Double(max(1, actual.count))
    let table = ConfusionTable(predicted: try sums(predicted).map { Int($0) }, actual: actual)
    return [("loss", loss), ("accuracy", table.accuracy), ("f1", table.macroF1)]
  }

  private func meanLoss(_ model: any TrainableModel, _ batches: some Sequence<Batch>) throws -> Double {
    var total = 0.0
    var count = 0
    for (index, batch) in batches.enumerated() where computes(index) {
      total += Double(model.loss(batch, .inference, scale: 1).scalar)
      count += batch.lossTermCount
    }
    let all = try sums([total, Double(count)])
    return all[0] / max(1, all[1])
  }
}

extension ArraySlice where Element: Comparable {
  /// The place of the largest element, counted from the first; of equal ones the first.
  fileprivate var largestIndex: Int { (indices.max { self[$0] < self[$1] } ?? startIndex) - startIndex }
}
