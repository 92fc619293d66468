import Foundation
import GraftBatching
import GraftLayers
import GraftTensors

/// The metrics of a model on held-out examples: its loss, and those of its task.
public enum Evaluator {
  /// The metrics by name, `loss` first, over batches of which nothing is kept.
  public static func metrics(of model: any TrainableModel, batches: some Sequence<Batch>) -> [(name: String, value: Double)] {
    switch model {
    case let model as any SentencePairModel: pairMetrics(model, batches)
    case let model as any LanguageModel: tokenMetrics(model, batches)
    case let model as any SequenceClassifier: labelMetrics(model, batches)
    case let model as any TokenClassifier: tokenLabelMetrics(model, batches)
    default: [("loss", meanLoss(model, batches))]
    }
  }

  /// The loss is the training's, with the weights of its terms; perplexity and accuracy are of the scored tokens as they are.
  private static func tokenMetrics(_ model: any LanguageModel, _ batches: some Sequence<Batch>) -> [(name: String, value: Double)] {
    var total = 0.0
    var weighted = 0.0
    var hits = 0
    var count = 0
    for batch in batches {
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
    let terms = Double(max(1, count))
    return [("loss", weighted / terms), ("perplexity", exp(total / terms)), ("token_accuracy", Double(hits) / Double(max(1, count)))]
  }

  /// The metrics of the masked tokens, with the loss of the pairs added to theirs and the share of pairs told right.
  private static func pairMetrics(_ model: any SentencePairModel, _ batches: some Sequence<Batch>) -> [(name: String, value: Double)] {
    var metrics = tokenMetrics(model, batches)
    var loss = 0.0
    var hits = 0
    var count = 0
    for batch in batches where !batch.labels.isEmpty {
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
    guard count > 0 else { return metrics }
    metrics[0].value += loss / Double(count)
    return metrics + [("next_sentence_accuracy", Double(hits) / Double(count))]
  }

  private static func labelMetrics(_ model: any SequenceClassifier, _ batches: some Sequence<Batch>) -> [(name: String, value: Double)] {
    var loss = 0.0
    var count = 0
    var predicted: [Int] = []
    var actual: [Int] = []
    var outputs: [Double] = []
    var values: [Double] = []
    var sets = MultiLabelTable(classes: model.labelCount)
    for batch in batches {
      loss += Double(model.loss(batch, .inference, scale: 1).scalar)
      count += batch.labels.count
      let logits = model.logits(batch.input, .inference).values
      let width = model.labelCount
      for (row, label) in batch.labels.enumerated() {
        let line = logits[row * width..<(row + 1) * width]
        switch label {
        case .class(let index):
          actual.append(index)
          predicted.append((line.indices.max { line[$0] < line[$1] } ?? line.startIndex) - line.startIndex)
        case .value(let value):
          values.append(Double(value))
          outputs.append(Double(line[line.startIndex]))
        case .values(let wanted):
          values += wanted.map(Double.init)
          outputs += line.map(Double.init)
        case .classes(let wanted):
          sets.count(predicted: Set(line.indices.filter { line[$0] > 0 }.map { $0 - line.startIndex }), actual: wanted)
        }
      }
    }
    let mean = ("loss", loss / Double(max(1, count)))
    guard values.isEmpty else {
      return [mean, ("pearson", Metrics.pearson(outputs, values)), ("spearman", Metrics.spearman(outputs, values))]
    }
    guard sets.exampleCount == 0 else {
      return [mean, ("subset_accuracy", sets.subsetAccuracy), ("micro_f1", sets.microF1), ("macro_f1", sets.macroF1)]
    }
    guard !actual.isEmpty else { return [mean] }
    let table = ConfusionTable(predicted: predicted, actual: actual)
    return [mean, ("accuracy", table.accuracy), ("f1", table.macroF1), ("matthews_correlation", table.matthewsCorrelation)]
  }

  private static func tokenLabelMetrics(_ model: any TokenClassifier, _ batches: some Sequence<Batch>) -> [(name: String, value: Double)] {
    var loss = 0.0
    var predicted: [Int] = []
    var actual: [Int] = []
    for batch in batches {
      loss += Double(model.loss(batch, .inference, scale: 1).scalar)
      let logits = model.logits(batch.input, .inference).values
      let width = model.labelCount
      for row in batch.lossRows.map(Int.init) {
        let line = logits[row * width..<(row + 1) * width]
        predicted.append((line.indices.max { line[$0] < line[$1] } ?? line.startIndex) - line.startIndex)
        actual.append(Int(batch.targets[row]))
      }
    }
    let table = ConfusionTable(predicted: predicted, actual: actual)
    return [("loss", loss / Double(max(1, actual.count))), ("accuracy", table.accuracy), ("f1", table.macroF1)]
  }

  private static func meanLoss(_ model: any TrainableModel, _ batches: some Sequence<Batch>) -> Double {
    var total = 0.0
    var count = 0
    for batch in batches {
      total += Double(model.loss(batch, .inference, scale: 1).scalar)
      count += batch.lossTermCount
    }
    return total / Double(max(1, count))
  }
}
