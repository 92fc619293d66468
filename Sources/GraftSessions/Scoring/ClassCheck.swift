import Foundation
import GraftBatching
import GraftDatasets
import GraftJSON
import GraftLayers
import GraftReports
import GraftTensors
import GraftTokenizers

/// Held-out texts classified one by one, for the outcome of every class and for the mistakes that the model is surest of.
struct ClassCheck {
  let model: any SequenceClassifier
  let examples: [EncodedExample]
  /// The names of the classes.
  let names: [String]
  let tokenizer: Tokenizer

  /// Nil where the examples are not each of one class.
  init?(_ data: RunData, model: any TrainableModel, labels: LabelScheme?, tokenizer: Tokenizer) {
    guard let labels, labels.problem == .singleLabel, let model = model as? any SequenceClassifier, let held = data.evaluation else { return nil }
    (self.model, examples, names, self.tokenizer) = (model, held.examples, labels.names, tokenizer)
  }

  /// - Parameter isInterrupted: asked between groups of examples; true leaves the rest out.
  func run(isInterrupted: () -> Bool = { false }) -> ClassReport {
    var counts = Array(repeating: Array(repeating: 0, count: names.count), count: names.count)
    var mistakes: [(example: Int, mistake: ClassReport.Mistake)] = []
    for group in examples.indices.grouped(tokens: { examples[$0].tokens.count }) where !isInterrupted() {
      let logits = model.logits(Batch(collating: group.map { examples[$0] }, objective: .labels).input, .inference).values
      for (row, index) in group.enumerated() {
        let line = logits[row * names.count..<(row + 1) * names.count].map(Double.init)
        guard case .class(let actual)? = examples[index].label, let predicted = line.indices.max(by: { line[$0] < line[$1] }) else { continue }
        counts[actual][predicted] += 1
        guard actual != predicted else { continue }
        let mistake = ClassReport.Mistake(text: "", actual: actual, predicted: predicted, probability: Self.probability(of: predicted, line))
        mistakes.append((index, mistake))
      }
    }
    let surest = mistakes.sorted { ($0.mistake.probability, $1.example) > ($1.mistake.probability, $0.example) }.prefix(ClassReport.keptMistakes)
    return ClassReport(
      names: names, counts: counts,
      mistakes: surest.map { index, mistake in
        var mistake = mistake
        mistake.text = text(of: examples[index])
        return mistake
      })
  }

  private static func probability(of index: Int, _ logits: [Double]) -> Double {
    1 / logits.reduce(0) { $0 + exp($1 - logits[index]) }
  }

  /// The words that the model read, the first few hundred letters of them.
  private func text(of example: EncodedExample) -> String {
    let text = tokenizer.decode(example.tokens)
    return text.count > 300 ? text.prefix(299) + "…" : text
  }
}

extension ClassReport {
  /// The record of `summary.json`: the figures of every class, and the confusion matrix with a line for each class that examples have.
  var json: JSON {
    let classes = lines.map { line -> JSON in
      [
        "label": .string(line.name), "examples": .integer(line.count), "precision": line.precision.map(JSON.number) ?? .null,
        "recall": line.recall.map(JSON.number) ?? .null, "f1": line.f1.map(JSON.number) ?? .null,
      ]
    }
    return ["classes": .array(classes), "confusion": .array(counts.map { .array($0.map(JSON.integer)) })]
  }
}
