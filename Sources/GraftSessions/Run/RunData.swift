import GraftBatching
import GraftDatasets
import GraftLayers
import GraftRecipes
import GraftTokenizers
import GraftTraining

/// The examples of a run, encoded: those to train on, those held out, and those that its best weights are chosen by.
package struct RunData {
  /// The examples to train on.
  let train: EncodedDataset
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

  private let encoder: ExampleEncoder
  private let format: DataFormat

  /// - Parameters:
  ///   - split: the records.
  ///   - labels: a classifier's labels.
  ///   - tokenizer: the model's, with the tokens that the recipe adds.
  ///   - base: the model that reads the examples.
  ///   - notes: takes what is to be said of the data.
  /// - Throws: `DatasetError` for a record that does not fit its format, `SequenceError` and `SessionError` for one that the model has no table
  ///   entries for.
  init(
    _ settings: RunSettings, _ split: RecordSplit, labels: LabelScheme?, tokenizer: Tokenizer, on base: TrainableBase, notes: DataNotes
  ) throws {
    let recipe = settings.recipe
    encoder = try DataPreparation.encoder(settings, tokenizer, for: base.model, labels: labels, notes: notes)
    objective = DataPreparation.objective(recipe.task, for: base.model)
    var train = try encoder.encodeDataset(split.train)
    var held = split.held.isEmpty ? nil : try encoder.encodeDataset(split.held)
    if let share = split.heldWindowShare {
      let indices = try SeededSplit.indices(count: train.examples.count, fraction: share, seed: settings.seed)
      held = EncodedDataset(examples: indices.held.map { train.examples[$0] }, report: EncodingReport())
      train = train.choosing(indices.train)
    }
    try DataPreparation.check(train.examples, of: split.train, for: base.model)
    if let mixture = recipe.data.mixture {
      train = mixture.drawn(from: train, of: split.train, seed: settings.seed, notes: notes)
    }
    try DataPreparation.check(held?.examples ?? [], of: split.held, for: base.model)
    (self.train, evaluation) = (train, held)
    format = try encoder.format(of: split.train[0])
    digests = (RunIdentity.sha256(of: split.train), RunIdentity.sha256(of: split.held))
    let endIDs = base.endIDs(tokenizer)
    answers = AnswerCheck(
      records: split.held, format: format, tokenizer: tokenizer, model: base.model, endIDs: endIDs, maxLength: recipe.data.maxLength)
    if let records = split.selection {
      selection = try encoder.encodeDataset(records)
      selectionAnswers = AnswerCheck(records: records, format: format, tokenizer: tokenizer, model: base.model, endIDs: endIDs)
    } else {
      selection = evaluation
      selectionAnswers = answers
    }
  }
}

/// The examples of a run in the batches of its plan.
struct PlannedData: TrainingData {
  let data: RunData
  let plan: BatchPlan

  func steps(_ range: Range<Int>) -> AnySequence<PlannedStep> { plan.steps(range) }

  func batch(_ examples: [Int], ofEpoch epoch: Int) -> Batch { data.batch(examples, ofEpoch: epoch) }
}

extension RunData {
  /// Returns the batch of some of the examples, as an epoch has them.
  func batch(_ examples: [Int], ofEpoch epoch: Int) -> Batch {
    Batch(collating: examples.map { encoder.example(train.examples[$0], of: format, index: $0, epoch: epoch) }, objective: objective)
  }

  /// The part of the data that a plan depends on.
  func planned(isReported: Bool) -> RunPlan.Data {
    RunPlan.Data(
      train: train.examples, evaluationCount: evaluation?.examples.count ?? 0, hasSelection: selection != nil, isReported: isReported)
  }

  /// Remarks for the user on how the records became examples.
  func notes(maxLength: Int) -> [String] {
    let report = train.report
    var notes: [String] = []
    if report.truncatedCount > 0 {
      notes.append(
        "\(report.truncatedCount) of \(report.recordCount) examples are longer than max_length \(maxLength) and were cut (the longest has "
          + "\(report.lengths.last ?? 0) tokens)")
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
