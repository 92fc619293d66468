import GraftBatching
import GraftDatasets
import GraftTraining

extension ModelSession {
  /// The figures of `graft eval`, by name.
  public func evaluate(_ path: String) throws -> [(name: String, value: Double)] {
    let tokenizer = try tokenizer(), model = try languageModel()
    let records = try DataFile.records(of: path)
    guard let first = records.first else { throw SessionError(.data, "\(path): holds no records; add at least one line") }
    let encoder = DataPreparation.encoder(tokenizer)
    let data = try encoder.encodeDataset(records)
    let groups = data.examples.indices.grouped(tokens: { data.examples[$0].tokens.count })
    let result = LanguageEvaluation(
      of: model, batches: groups.lazy.map { group in Batch(collating: group.map { data.examples[$0] }, objective: .nextToken) })
    try requireFinite([Float(result.loss)])
    var values: [(name: String, value: Double)] = [
      ("loss", result.loss), ("perplexity", result.perplexity), ("token_accuracy", result.tokenAccuracy), ("tokens", Double(result.tokenCount)),
    ]
    if let check = AnswerCheck(
      records: records, format: try encoder.format(of: first), tokenizer: tokenizer, parameterCount: model.catalog.parameterCount, endIDs: endIDs)
    {
      let outcome = check.run(model)
      values += [("exact_match", outcome.exactMatch), ("answers", Double(outcome.answers.count))]
    }
    return values
  }
}
