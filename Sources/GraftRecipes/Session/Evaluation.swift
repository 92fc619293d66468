import GraftBatching
import GraftDatasets
import GraftLayers
import GraftTraining

extension ModelSession {
  /// The figures of `graft eval`, by name.
  public func evaluate(_ path: String) throws -> [(name: String, value: Double)] {
    let records = try DataFile.records(of: path)
    guard let first = records.first else { throw SessionError(.data, "\(path): holds no records; add at least one line") }
    guard let model = model as? any TrainableModel else {
      throw SessionError(.usage, "\(self.path): \(task.rawValue) is not supported by eval")
    }
    let encoder = try encoder(for: records)
    let data = try encoder.encodeDataset(records)
    try DataPreparation.check(data.examples, of: records, for: model)
    let batches = data.evaluationBatches(DataPreparation.objective(task, for: model))
    var values = Evaluator.figures(of: model, batches: batches)
    try requireFinite([Float(values[0].value)])
    values.append(("examples", Double(data.examples.count)))
    if let check = AnswerCheck(records: records, format: try encoder.format(of: first), tokenizer: try tokenizer(), model: model, endIDs: endIDs) {
      let outcome = try check.run()
      values += [("exact_match", outcome.exactMatch), ("answers", Double(outcome.answers.count))]
    }
    return values
  }
}

extension EncodedDataset {
  /// Batches of a bounded number of tokens, in order.
  func evaluationBatches(_ objective: BatchObjective) -> some Sequence<Batch> {
    examples.indices.grouped(tokens: { examples[$0].tokens.count + (examples[$0].source?.count ?? 0) }).lazy.map { group in
      Batch(collating: group.map { examples[$0] }, objective: objective)
    }
  }
}
