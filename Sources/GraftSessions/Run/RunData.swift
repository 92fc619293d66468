import GraftBatching
import GraftDatasets
import GraftLayers
import GraftRecipes
import GraftTokenizers
import GraftTraining

/// The examples of a run, encoded: those to train on, those held out, and those that its best weights are chosen by.
package struct RunData {
  /// The examples to train on: known before the first step, or as training comes to them.
  enum Training {
    case known(TrainingExamples)
    case streamed(ExampleStream)

    /// The tokens of a usual micro-batch, which is what other work of a run may have in memory at once: a token that is only read or written
    /// takes less than one that is learned from.
    func tokensOfStep(_ planner: BatchPlanner, maxLength: Int) -> Int {
      var length = planner.packing ?? maxLength
      if planner.packing == nil, case .known(let examples) = self, examples.count > 0 {
        length = examples.tokenCounts.reduce(0, +) / examples.count
      }
      return min(max(planner.batchSize * length, 128), 4 * AnswerCheck.usualTokens)
    }
  }

  /// The examples to train on.
  let train: Training
  /// The examples held out.
  package let evaluation: EncodedDataset?
  /// Prompts of the records held out, where the model can answer them.
  package let answers: AnswerCheck?
  /// The examples that are evaluated between steps: those held out, unless a comparison reports on them.
  let selection: EncodedDataset?
  /// Prompts of the records of `selection`.
  let selectionAnswers: AnswerCheck?
  /// The objective of the rows of a batch.
  package let objective: BatchObjective
  /// The SHA-256 of the records to train on, and of those held out.
  let digests: (train: String, evaluation: String)

  /// A classifier's labels.
  var labels: LabelScheme? { encoder.labels }

  private let encoder: ExampleEncoder
  private let format: DataFormat
  /// The examples whose answers the others are compared with, where answers are judged alone.
  private let partners: AnswerPartners?

  /// - Parameters:
  ///   - split: the records.
  ///   - labels: a classifier's labels.
  ///   - tokenizer: the model's, with the tokens that the recipe adds.
  ///   - base: the model that reads the examples.
  ///   - notes: takes what is to be said of the data.
  ///   - isKnownWhole: true where all examples are encoded first, unless streaming is asked for.
  ///   - progress: told how far the records are encoded.
  /// - Throws: `DatasetError` for a record that does not fit its format, `SequenceError` and `SessionError` for one that the model has no table
  ///   entries for.
  init(
    _ settings: RunSettings, _ split: RecordSplit, labels: LabelScheme?, tokenizer: Tokenizer, on base: TrainableBase, notes: DataNotes,
    isKnownWhole: Bool = false, progress: ProgressHandler = { _ in }
  ) throws {
    let recipe = settings.recipe
    encoder = try DataPreparation.encoder(settings, tokenizer, for: base.model, labels: labels, notes: notes)
    objective = DataPreparation.objective(recipe.task, for: base.model)
    let model = base.model
    let check = { example, record in try DataPreparation.check(example, of: record, in: split.train, for: model) }
    var held = split.held.isEmpty ? nil : try encoder.encodeDataset(split.held)
    if try settings.streams(split), !isKnownWhole || recipe.data.streaming == true {
      train = .streamed(try ExampleStream(split.train, encoder: encoder, planner: settings.planner, check: check))
    } else {
      var examples: TrainingExamples
      // Pairs of sentences come from all documents at once.
      if split.train.isLarge, !encoder.pairsSentences {
        let identity = "\(try base.tokenizerIdentity()) \(DataPreparation.limits(of: model))"
        examples = try encoder.encodeToFile(split.train, identity: identity, check: check) {
          progress(RunProgress(.encoding, $0, of: split.train.count))
        }
      } else {
        let data = try encoder.encodeDataset(split.train) { done in
          // A few thousand records are no time worth telling of.
          if split.train.count > 4096 { progress(RunProgress(.encoding, done, of: split.train.count)) }
        }
        try DataPreparation.check(data, of: split.train, for: model)
        examples = .memory(data)
      }
      if let share = split.heldWindowShare {
        let indices = try SeededSplit.indices(count: examples.count, fraction: share, seed: settings.seed)
        held = EncodedDataset(examples: try indices.held.map { try examples.example($0) }, report: EncodingReport())
        examples = examples.choosing(indices.train)
      }
      if let mixture = try settings.mixture {
        examples = try mixture.drawn(from: examples, of: split.train, seed: settings.seed, notes: notes)
      }
      train = .known(examples)
    }
    if let held, split.heldWindowShare == nil { try DataPreparation.check(held, of: split.held, for: model) }
    format = try encoder.format(of: split.train[0])
    try settings.preference?.require(format, of: split.train)
    let judgesSingleAnswers = settings.preference?.loss.judgesSingleAnswers ?? false
    let (groupSize, maxLength) = (recipe.training.batchSize, recipe.data.maxLength)
    if judgesSingleAnswers, case .known(let examples) = train {
      partners = AnswerPartners(groupSize: groupSize, count: examples.count)
      held = held?.contrasted(groupSize: groupSize, maxLength: maxLength)
    } else {
      partners = nil
    }
    evaluation = held
    digests = (try split.train.sha256, try split.held.sha256)
    let endIDs = base.endIDs(tokenizer)
    let tokensAtOnce = train.tokensOfStep(settings.planner, maxLength: recipe.data.maxLength)
    answers = try AnswerCheck(
      records: split.held, format: format, tokenizer: tokenizer, model: model, endIDs: endIDs, maxLength: recipe.data.maxLength,
      tokensAtOnce: tokensAtOnce)
    if let records = split.selection {
      let chosen = try encoder.encodeDataset(records)
      selection = judgesSingleAnswers ? chosen.contrasted(groupSize: groupSize, maxLength: maxLength) : chosen
      selectionAnswers = try AnswerCheck(
        records: records, format: format, tokenizer: tokenizer, model: model, endIDs: endIDs, tokensAtOnce: tokensAtOnce)
    } else {
      selection = evaluation
      selectionAnswers = answers
    }
  }
}

/// The examples of a run in the batches of its plan.
struct PlannedData: TrainingData {
  let data: RunData
  let plan: BatchPlan?
  /// The reference's view of the answers, where they are compared with it.
  let references: ReferenceScores?

  func steps(_ range: Range<Int>) -> StepSequence {
    switch data.train {
    case .known: StepSequence(plan?.steps(range) ?? AnySequence([]))
    case .streamed(let stream): stream.steps(range)
    }
  }

  func batch(_ examples: [Int], ofEpoch epoch: Int) throws -> Batch {
    var batch = try data.batch(examples, ofEpoch: epoch)
    batch.comparison?.references = references.map { $0.train(examples) }
    return batch
  }
}

extension RunData {
  /// Returns the batch of some of the examples, as an epoch has them.
  ///
  /// - Throws: what reading the examples throws.
  func batch(_ examples: [Int], ofEpoch epoch: Int) throws -> Batch {
    Batch(collating: try self.examples(examples, ofEpoch: epoch), objective: objective)
  }

  /// Returns some of the examples, as an epoch has them.
  ///
  /// - Throws: what reading the examples throws.
  func examples(_ indices: [Int], ofEpoch epoch: Int) throws -> [EncodedExample] { try indices.map { try example($0, ofEpoch: epoch) } }

  /// Returns an example as an epoch has it, beside the answer that it is compared with.
  ///
  /// - Throws: what reading the examples throws.
  func example(_ index: Int, ofEpoch epoch: Int = 0) throws -> EncodedExample {
    switch train {
    case .known(let examples):
      let example = encoder.example(try examples.example(index), of: format, index: index, epoch: epoch)
      guard let partners else { return example }
      return example.contrasted(with: try examples.example(partners[index]), maxLength: encoder.maxLength)
    case .streamed(let stream): return encoder.example(stream.example(index), of: format, index: index, epoch: epoch)
    }
  }

  /// The first examples, as training reads them: their tokens, and which of them carry loss.
  ///
  /// - Throws: what reading the examples throws.
  func firstExamples(_ count: Int) throws -> [EncodedExample] {
    switch train {
    case .known(let examples): return try (0..<min(count, examples.count)).map { try examples.example($0) }
    case .streamed(let stream):
      let step = try stream.steps(0..<1).next()
      return step?.microBatches.joined().prefix(count).map(stream.example) ?? []
    }
  }

  /// The part of the data that a plan depends on.
  ///
  /// - Throws: what encoding the first records throws, where the examples are streamed.
  func planned(isReported: Bool) throws -> RunPlan.Data {
    let examples: RunPlan.Data.Examples =
      switch train {
      case .known(let examples): .known(packedLengths: examples.packedLengths, tokenCounts: examples.tokenCounts)
      case .streamed(let stream): .streamed(recordCount: stream.recordCount, largestBatch: try stream.firstLargestBatch())
      }
    return RunPlan.Data(
      examples, evaluationCount: evaluation?.examples.count ?? 0, hasSelection: selection != nil, isReported: isReported)
  }

  /// Remarks for the user on how the records became examples.
  func notes(maxLength: Int) -> [String] {
    guard case .known(let examples) = train else {
      return ["records are encoded as training comes to them (data.streaming)"]
    }
    let report = examples.report
    var notes: [String] = []
    if report.truncatedCount > 0 {
      notes.append(
        "\(report.truncatedCount) of \(report.recordCount) examples are longer than max_length \(maxLength) and were cut (the longest has "
          + "\(report.longest) tokens)"
          + (RunAdvice.cuts(report.truncatedCount, of: report.recordCount, keeping: report.length(atQuantile: 0.95)).map { "; \($0)" } ?? ""))
    }
    if report.lostMaskCount > 0 {
      notes.append("\(report.lostMaskCount) masks stood beyond max_length \(maxLength) and were lost with the words behind them")
    }
    if report.droppedCount > 0 {
      notes.append("\(report.droppedCount) examples had no token left to learn from within max_length and were left out")
    }
    if report.cutTextCount > 0 { notes.append("\(report.cutTextCount) texts were cut into windows of \(maxLength) tokens") }
    return notes
  }
}
