import GraftBatching
import GraftLayers
import GraftTensors

/// A preference loss with its settings, as a training minimises it and an evaluation measures it.
public struct PreferenceObjective: Sendable {
  /// The loss.
  public let loss: PreferenceLoss
  /// Its settings.
  public let settings: PreferenceSettings

  /// - Parameter settings: those of the loss's own where nil.
  public init(_ loss: PreferenceLoss, _ settings: PreferenceSettings? = nil) { (self.loss, self.settings) = (loss, settings ?? loss.defaults) }

  /// The objective as a trainer takes it.
  ///
  /// The sum is over examples. The likelihood of the better answers is a mean over the tokens of a micro-batch, as in TRL, and counts once for
  /// every example.
  /// - Precondition: batches of `BatchObjective.answers`, with references where the loss uses them, and a language model.
  public var trainingLoss: TrainingLoss {
    TrainingLoss(loss.name) { model, batch, pass, scale in sum(languageModel(model), batch, pass, scale: scale) }
  }

  private func sum(_ model: any LanguageModel, _ batch: Batch, _ pass: Pass, scale: Float) -> Tensor {
    let answers = trained(batch)
    let logProbabilities = model.logProbabilities(answers, pass)
    let verdict = verdict(on: logProbabilities.values, of: batch, baseline: baseline(model, batch))
    for (name, value) in verdict.meanFigures { pass.auxiliary?.note(value, as: name) }
    return verdict.tensor(from: logProbabilities, scale: scale)
  }

  /// The documents that a gradient goes to: both answers of pairs, or the answers that have a label.
  func trained(_ batch: Batch) -> Batch {
    loss.judgesSingleAnswers ? batch.documents(Array(stride(from: 0, to: batch.exampleCount, by: 2))) : batch
  }

  /// `z_0`: how far the model is from its reference, `max(0, mean log π(y'|x) / π_ref(y'|x))` over answers `y'` to other prompts
  /// (Ethayarajh et al. 2024, section 4.1). It has no gradient.
  func baseline(_ model: any LanguageModel, _ batch: Batch) -> Double {
    guard loss.judgesSingleAnswers, let references = batch.comparison?.references else { return 0 }
    let others = Array(stride(from: 1, to: batch.exampleCount, by: 2))
    let scores = Tape.withoutRecording { model.answerLogProbabilities(batch.documents(others)) }
    let sum = zip(scores, others).reduce(0) { $0 + $1.0 - references[$1.1] }
    return max(0, sum / Double(max(1, others.count)))
  }

  /// Judges the log-probabilities of the scored tokens of a batch: of all documents where answers are in pairs, of every second one where they
  /// are judged alone.
  package func verdict(on logProbabilities: [Float], of batch: Batch, baseline: Double) -> PreferenceVerdict {
    var verdict = PreferenceVerdict(self, tokens: logProbabilities)
    let ranges = trained(batch).lossRowRanges
    func score(_ document: Int, _ range: Range<Int>, slopes: SIMD2<Double>) -> AnswerScore {
      let sum = range.reduce(0) { $0 + Double(logProbabilities[$1]) }
      return AnswerScore(policy: DualNumber(sum, slopes: slopes), reference: batch.comparison?.references?[document] ?? 0, length: range.count)
    }
    switch loss.form {
    case .pairs(let loss):
      for first in stride(from: 0, to: ranges.count, by: 2) {
        let chosen = score(first, ranges[first], slopes: [1, 0])
        let rejected = score(first + 1, ranges[first + 1], slopes: [0, 1])
        verdict.add(loss(chosen, rejected, settings), chosen, ranges[first], rejected, ranges[first + 1])
      }
    case .answers(let loss):
      for (index, range) in ranges.enumerated() {
        let isDesirable = batch.labels[index] == .class(1)
        let answer = score(2 * index, range, slopes: [1, 0])
        verdict.add(loss(answer, isDesirable, baseline, settings), answer, range, isDesirable: isDesirable)
      }
      verdict.divergence = baseline * Double(ranges.count)
    }
    return verdict
  }

  private func languageModel(_ model: any TrainableModel) -> any LanguageModel {
    guard let model = model as? any LanguageModel else { preconditionFailure("\(loss.name): \(model.modelType) predicts no tokens") }
    return model
  }
}

extension LanguageModel {
  /// Returns the log-probability of every document's scored tokens, summed, without a gradient.
  package func answerLogProbabilities(_ batch: Batch) -> [Double] {
    let predictions = predictions(batch)
    return batch.lossRowRanges.map { range in range.reduce(0) { $0 + Double(predictions[$1].logProbability) } }
  }
}
