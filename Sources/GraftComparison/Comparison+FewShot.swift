import GraftBatching
import GraftDatasets
import GraftRecipes
import GraftSessions

/// In-context learning beside fine-tuning: the untouched base with answered examples of the training set in its prompts.
extension Comparison {
  /// The base's answers to the held-out prompts behind so many examples, which the seed draws for all of them.
  ///
  /// - Returns: a record that says why where the prompts do not fit the model, or the records have no questions.
  /// - Throws: `CheckpointError` where results cannot be written, and what `onEvent` throws.
  func fewShot(_ count: Int, seed: Int, _ onEvent: (ComparisonEvent) throws -> Void) throws -> ComparisonRecord {
    let key = try RunKey.of(.baseline, recipe, digest: "\(digest) few-shot \(count) \(seed)")
    if let known = store.record(key) {
      try onEvent(.finished(known, isReused: true))
      return known
    }
    var record = ComparisonRecord(
      key: key, name: count == 1 ? "1 example in the prompt" : "\(count) examples in the prompt", seed: seed, learningRate: 0)
    record.createdAt = Self.now
    do {
      record.take(try fewShotScores(count, seed: seed), answers: 0)
      record.status = .baseline
      record.totalParameters = base.model.catalog.parameterCount
      record.forgetting = forgetting == nil ? nil : 0
    } catch {
      (record.status, record.message) = (.failed, "\(error)")
    }
    try store.add(record)
    try onEvent(.finished(record, isReused: false))
    return record
  }

  private static let longestPrompt = 1 << 20

  private func fewShotScores(_ count: Int, seed: Int) throws -> ExampleScores {
    guard count <= split.train.count else {
      throw SessionError(.data, "few_shot: is \(count), and there are \(split.train.count) examples to train on; ask for fewer")
    }
    var random = CounterRandom(seed: UInt64(bitPattern: Int64(seed)), stream: 0x73_686F_7473)
    let examples = try random.permutation(of: split.train.count).prefix(count).map { try split.train[Int($0)] }
    var asked = split
    let encoder = try ExampleEncoder(tokenizer: base.tokenizer(), task: recipe.task, format: recipe.data.format)
    asked.held = RecordList(
      try (0..<split.held.count).map { index in
        let record = try split.held[index]
        return try record.following(examples, format: encoder.format(of: record))
      })
    // Nothing is learned from the others.
    asked.train = asked.held.choosing([0])
    var own = Self.untouched(methods[0].recipe(seed: seeds[0]))
    // Only the model's own positions limit a prompt.
    (own.data.format, own.data.maxLength, own.data.packing) = (.auto, Self.longestPrompt, false)
    let run = try TrainingRun(RunSettings(own), output: output, claim: nil, sharing: base, split: asked, notes: notes)
    run.delta.detach()
    return try run.exampleScores()
  }
}
