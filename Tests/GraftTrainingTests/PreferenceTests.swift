import Foundation
import GraftBatching
import GraftJSON
import GraftTensors
import GraftTestSupport
import GraftTraining
import Testing

/// Losses of preferences on fixed log-probabilities, as TRL computes them; made by `Scripts/make-preference-goldens.py`.
@Suite struct PreferenceTests {
  private let data: JSON, cases: [JSON]

  init() throws {
    let goldens = try Fixtures("GraftTrainingTests").json("preferences.json")
    data = try #require(goldens["data"])
    cases = try #require(goldens["cases"]?.array)
  }

  /// The answers of a list, each a list of its tokens' log-probabilities.
  private func answers(_ key: String) -> [[Float]] { (data[key]?.array ?? []).map(\.floats) }

  /// Answers behind a prompt of one token, in pairs, with their references.
  private func batch(_ chosen: [[Float]], _ rejected: [[Float]], hasLabels: Bool) -> Batch {
    func example(_ answer: [Float]) -> EncodedExample {
      EncodedExample(tokens: [0] + answer.indices.map { Int32($0 + 1) }, isScored: [false] + answer.map { _ in true })
    }
    let examples = zip(chosen, rejected).enumerated().map { index, pair in
      var first = example(pair.0)
      first.contrast = example(pair.1)
      if hasLabels { first.label = .class(data["labels"]?[index]?.bool == true ? 1 : 0) }
      return first
    }
    var batch = Batch(collating: examples, objective: .answers)
    let references = ["chosen_references", "rejected_references"].map { data[$0]?.doubles ?? [] }
    batch.comparison = AnswerComparison(references: zip(references[0], references[1]).flatMap { [$0, $1] })
    return batch
  }

  private func objective(_ golden: JSON) throws -> PreferenceObjective {
    let loss = try PreferenceLoss.named(golden["loss"]?.string ?? "")
    var settings = loss.defaults
    for (key, value) in golden["settings"]?.object ?? [:] {
      let number = value.double ?? .nan
      switch key {
      case "beta": settings.beta = number
      case "label_smoothing": settings.labelSmoothing = number
      case "length_normalized": settings.normalizesLength = value.bool == true
      case "gamma": settings.margin = number
      case "sft_weight": settings.likelihoodWeight = number
      case "desirable_weight": settings.desirableWeight = number
      case "undesirable_weight": settings.undesirableWeight = number
      default: Issue.record("\(key)")
      }
    }
    return PreferenceObjective(loss, settings)
  }

  @Test func `losses, rewards and gradients are TRL's`() throws {
    #expect(Set(cases.compactMap { $0["loss"]?.string }) == Set(PreferenceLoss.names))
    let (chosen, rejected) = (answers("chosen"), answers("rejected"))
    for golden in cases {
      let (name, expected) = ("\(golden["loss"] ?? .null) \(golden["settings"] ?? .null)", try #require(golden["expected"]))
      let objective = try objective(golden)
      let isUnpaired = objective.loss.judgesSingleAnswers
      let batch = batch(chosen, rejected, hasLabels: isUnpaired)
      let tokens = isUnpaired ? chosen.flatMap { $0 } : zip(chosen, rejected).flatMap { $0 + $1 }
      // The baseline is given, as the script gives TRL the log-probabilities of answers to other prompts.
      let parameter = Parameter(path: "tokens", value: Tensor(tokens), isTrainable: true)
      let verdict = objective.verdict(on: tokens, of: batch, baseline: expected["metrics"]?["kl"]?.double ?? 0)
      let tape = Tape()
      let loss = tape.record { verdict.tensor(from: parameter.operand, scale: 1 / Float(batch.lossTermCount)) }
      #expect(abs(Double(loss.scalar) - (expected["loss"]?.double ?? .nan)) < 1e-5, "\(name)")
      let rows = (expected["gradients"]?.array ?? []).map(\.floats)
      let wanted = isUnpaired ? rows : zip(rows.prefix(chosen.count), rows.suffix(rejected.count)).flatMap { [$0, $1] }
      let found = try #require(tape.gradients(of: loss)[parameter])
      #expect(largestDifference(found.values, wanted.flatMap { $0 }) < 1e-5, "\(name)")
      let metrics = Dictionary(verdict.metrics.map { ($0.name, $0.value) }) { first, _ in first }
      #expect(abs((metrics["loss"] ?? .nan) - (expected["loss"]?.double ?? .nan)) < 1e-5, "\(name)")
      for (key, value) in expected["metrics"]?.object ?? [:] {
        #expect(abs((metrics[key] ?? .nan) - (value.double ?? .nan)) < 1e-5, "\(name): \(key)")
      }
    }
  }

  /// Every reference of 0 and equal answers: nothing is preferred, and nothing learned.
  @Test func equalAnswersTeachNothing() throws {
    let answers = answers("chosen")
    var batch = batch(answers, answers, hasLabels: false)
    batch.comparison = AnswerComparison(references: Array(repeating: 0, count: 2 * answers.count))
    let tokens = answers.flatMap { $0 + $0 }
    let parameter = Parameter(path: "tokens", value: Tensor(tokens), isTrainable: true)
    let verdict = PreferenceObjective(.directPreference).verdict(on: tokens, of: batch, baseline: 0)
    let tape = Tape()
    let loss = tape.record { verdict.tensor(from: parameter.operand, scale: 1 / Float(answers.count)) }
    #expect(abs(Double(loss.scalar) - log(2)) < 1e-7)
    // The one is raised and the other lowered by as much: the sum over a pair is nothing.
    let gradient = try #require(tape.gradients(of: loss)[parameter]).values
    var start = 0
    for answer in answers {
      let (first, second) = (gradient[start..<start + answer.count], gradient[start + answer.count..<start + 2 * answer.count])
      #expect(zip(first, second).allSatisfy { $0 == -$1 && $0 < 0 })
      start += 2 * answer.count
    }
  }

  /// Certain answers have large odds, and no number that is none.
  @Test func certainAnswersStayFinite() {
    let certain = AnswerScore(policy: DualNumber(0, slopes: [1, 0]), reference: 0, length: 3)
    let other = AnswerScore(policy: DualNumber(-40, slopes: [0, 1]), reference: 0, length: 2)
    for name in PreferenceLoss.names {
      guard let loss = try? PreferenceLoss.named(name), case .pairs(let ofPair) = loss.form else { continue }
      for value in [ofPair(certain, other, loss.defaults), ofPair(other, certain, loss.defaults)] {
        #expect(value.value.isFinite && value.slopes.x.isFinite && value.slopes.y.isFinite, "\(name)")
      }
    }
  }

  @Test func derivativesAreThoseOfTheValues() {
    let functions: [(String, (DualNumber) -> DualNumber)] = [
      ("sigmoid", sigmoid), ("logSigmoid", logSigmoid), ("squared", \.squared), ("positivePart", \.positivePart),
      ("logOneMinusExp", { logOneMinusExp($0 - 3) }), ("rest", { (1 - 2 * $0) / 3 - (-$0) + $0 }),
    ]
    for (name, function) in functions {
      for x in [-30, -2.5, -0.3, 0.7, 2.9] {
        let step = 1e-5
        let slope = (function(DualNumber(x + step)).value - function(DualNumber(x - step)).value) / (2 * step)
        #expect(abs(function(DualNumber(x, slopes: [1, 0])).slopes.x - slope) < 1e-5 * max(1, abs(slope)), "\(name) at \(x)")
      }
    }
  }
}
