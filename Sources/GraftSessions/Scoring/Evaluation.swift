import GraftBatching
import GraftDatasets
import GraftLayers
import GraftTraining

extension ModelSession {
  /// The figures of `graft eval`, by name.
  ///
  /// - Parameters:
  ///   - maxLength: the most tokens that the model reads at once; as many as it has positions where nil.
  ///   - progress: told how many examples are evaluated, and how many prompts answered.
  public func evaluate(_ path: String, maxLength: Int? = nil, progress: @escaping ProgressHandler = { _ in }) throws -> [(
    name: String, value: Double
  )] {
    let records = try records(of: path)
    guard let first = records.first else { throw SessionError(.data, "\(path): holds no records; add at least one line") }
    guard let model = model as? any TrainableModel else {
      throw SessionError(.usage, "\(self.path): \(task.rawValue) is not supported by eval")
    }
    var encoder = try encoder(maxLength: maxLength)
    encoder.labels = try labelScheme?.reading(records)
    var data = try encoder.encodeDataset(records)
    noteCut(data.report.truncatedCount, of: records.count, encoder)
    let exampleCount = data.examples.count
    let parts = try windows(of: data.examples, encoder, maxLength: maxLength)
    data.examples = parts.map(\.window.example)
    try DataPreparation.check(data.examples, of: records, for: model)
    let batches = data.evaluationBatches(DataPreparation.objective(task, for: model)) { [count = parts.count] in
      progress(RunProgress(.evaluating, $0, of: count))
    }
    var values = try Evaluator.metrics(of: model, batches: batches)
    try requireFinite([Float(values[0].value)])
    values.append(("examples", Double(exampleCount)))
    let answers = try AnswerCheck(
      records: RecordList(records), format: encoder.format(of: first), tokenizer: tokenizer(), model: model, endIDs: endIDs,
      maxLength: encoder.maxLength)
    if let check = answers {
      let outcome = try check.run(by: model, progress: progress)
      values += [("exact_match", outcome.exactMatch), ("answers", Double(outcome.answers.count))]
    }
    return values
  }

  /// The number of tokens that the model reads at once: `maxLength`, or as many as it has positions.
  private func readingLength(_ maxLength: Int?) -> Int? {
    if let maxLength { return maxLength }
    let trained = directory.configuration["max_position_embeddings"]?.int
    return [model.maximumLength, trained].compactMap { $0 }.min().map { max(2, $0 - model.catalog.virtualTokenCount) }
  }

  /// An encoder that cuts what cannot be read in windows: classified texts, and sources with their targets.
  func encoder(maxLength: Int?) throws -> ExampleEncoder {
    var encoder = try encoder()
    if task == .sequenceClassification || task == .seq2seqLM { encoder.maxLength = readingLength(maxLength) }
    return encoder
  }

  func noteCut(_ count: Int, of total: Int, _ encoder: ExampleEncoder) {
    guard count > 0, let length = encoder.maxLength else { return }
    notes.say("\(count) of \(total) examples are longer than \(length) tokens and were cut")
  }

  /// The examples in windows that the model can read.
  func windows(of examples: [EncodedExample], _ encoder: ExampleEncoder, maxLength: Int?) throws -> [(index: Int, window: ExampleWindow)] {
    let length = encoder.maxLength ?? readingLength(maxLength)
    let frame = encoder.windowFrame
    let parts = examples.map { $0.windows(of: length, frame: frame) }
    let longer = parts.count { $0.count > 1 }
    if longer > 0, let length {
      let count = parts.reduce(0) { $0 + ($1.count > 1 ? $1.count : 0) }
      notes.say(
        "\(longer) of \(examples.count) texts are longer than \(length) tokens and are read in \(count) windows that overlap by half; every token is scored once"
      )
    }
    return parts.enumerated().flatMap { index, windows in windows.map { (index, $0) } }
  }
}

extension EncodedDataset {
  /// Batches of a bounded number of tokens, in order.
  ///
  /// - Parameters:
  ///   - references: what the reference says of compared answers, two for every example.
  ///   - progress: told of the number of examples before each batch that is asked for.
  package func evaluationBatches(
    _ objective: BatchObjective, references: [Double]? = nil, progress: @escaping (Int) -> Void = { _ in }
  ) -> some Sequence<Batch> {
    examples.indices.grouped(tokens: { examples[$0].tokenCount }).lazy.map { group in
      progress(group.first ?? 0)
      var batch = Batch(collating: group.map { examples[$0] }, objective: objective)
      batch.comparison?.references = references.map { all in group.flatMap { all[2 * $0..<2 * $0 + 2] } }
      return batch
    }
  }
}
