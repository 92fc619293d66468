import GraftTensors

/// The losses of the answers of a batch, their gradients and their figures, summed over examples.
package struct PreferenceVerdict {
  private let objective: PreferenceObjective
  private let logProbabilities: [Float]
  /// The derivative of the losses by the log-probability of every scored token, but for the likelihood's.
  private var slopes: [Double]
  /// The scored tokens of better answers, whose likelihood may count.
  private var learned: [Range<Int>] = []
  private var losses = 0.0
  private var chosen = Mean()
  private var rejected = Mean()
  /// For every example 1 where the rewards tell its answers apart, or agree with its label, and 0 where they do not.
  package private(set) var hits: [Double] = []
  /// An estimate of how far the model is from its reference, summed over examples; nil without one.
  var divergence: Double?

  /// A sum and the number of its terms.
  private struct Mean {
    var sum = 0.0
    var count = 0

    mutating func add(_ value: Double) {
      sum += value
      count += 1
    }
  }

  init(_ objective: PreferenceObjective, tokens logProbabilities: [Float]) {
    (self.objective, self.logProbabilities) = (objective, logProbabilities)
    slopes = Array(repeating: 0, count: logProbabilities.count)
  }

  private func reward(_ answer: AnswerScore) -> Double { objective.settings.beta * objective.loss.reward(answer).value }

  /// Adds a pair.
  mutating func add(_ loss: DualNumber, _ chosen: AnswerScore, _ chosenRows: Range<Int>, _ rejected: AnswerScore, _ rejectedRows: Range<Int>) {
    let rewards = (reward(chosen), reward(rejected))
    self.chosen.add(rewards.0)
    self.rejected.add(rewards.1)
    hits.append(rewards.0 > rewards.1 ? 1 : 0)
    if objective.loss.usesReference { divergence = (divergence ?? 0) - (chosen.logRatio.value + rejected.logRatio.value) / 2 }
    add(loss, (chosenRows, rejectedRows))
    learned.append(chosenRows)
  }

  /// Adds an answer with a label.
  mutating func add(_ loss: DualNumber, _ answer: AnswerScore, _ rows: Range<Int>, isDesirable: Bool) {
    let reward = reward(answer)
    if isDesirable { chosen.add(reward) } else { rejected.add(reward) }
    hits.append((reward > 0) == isDesirable ? 1 : 0)
    add(loss, (rows, 0..<0))
    if isDesirable { learned.append(rows) }
  }

  private mutating func add(_ loss: DualNumber, _ rows: (Range<Int>, Range<Int>)) {
    losses += loss.value
    for row in rows.0 { slopes[row] += loss.slopes[0] }
    for row in rows.1 { slopes[row] += loss.slopes[1] }
  }

  // MARK: The loss

  private var exampleCount: Int { hits.count }
  private var learnedCount: Int { learned.reduce(0) { $0 + $1.count } }
  private var learnedSum: Double { learned.reduce(0) { $1.reduce($0) { $0 - Double(logProbabilities[$1]) } } }

  /// The loss of a mean over tokens as a share of the examples' sum.
  private var likelihoodFactor: Double { objective.settings.likelihoodWeight * Double(exampleCount) / Double(max(1, learnedCount)) }

  /// The loss summed over examples, times a scale, with its gradient by the log-probabilities of the scored tokens.
  package func tensor(from logProbabilities: Tensor, scale: Float) -> Tensor {
    let factor = likelihoodFactor
    var slopes = slopes
    if factor != 0 {
      for row in learned.joined() { slopes[row] -= factor }
    }
    let value = Double(scale) * (losses + factor * learnedSum)
    let gradients = slopes.map { Float(Double(scale) * $0) }
    return customOperation("preference", of: [logProbabilities]) { _ in
      Tensor([Float(value)], [])
    } pullback: { gradient, _, _ in
      [gradient.scalar * Tensor(gradients)]
    }
  }

  // MARK: Figures

  /// The sums that figures are made of, in an order of their own: they add up over batches and processes.
  var sums: [Double] {
    [
      losses, Double(exampleCount), learnedSum, Double(learnedCount), chosen.sum, Double(chosen.count), rejected.sum, Double(rejected.count),
      hits.reduce(0, +), divergence ?? 0,
    ]
  }

  /// The number of `sums`.
  static let sumCount = 10

  /// The metrics of sums over batches, under TRL's names, the loss first.
  static func metrics(_ sums: [Double], of objective: PreferenceObjective) -> MetricValues {
    let count = max(1, sums[1])
    let likelihood = objective.settings.likelihoodWeight * sums[2] / max(1, sums[3])
    var metrics: MetricValues = [("loss", sums[0] / count + likelihood)]
    let rewards = (chosen: sums[4] / max(1, sums[5]), rejected: sums[6] / max(1, sums[7]))
    if sums[5] > 0 { metrics.append(("rewards/chosen", rewards.chosen)) }
    if sums[7] > 0 { metrics.append(("rewards/rejected", rewards.rejected)) }
    if sums[5] > 0, sums[7] > 0 { metrics.append(("rewards/margins", rewards.chosen - rewards.rejected)) }
    metrics.append(("rewards/accuracies", sums[8] / count))
    if objective.loss.usesReference { metrics.append(("kl", sums[9] / count)) }
    return metrics
  }

  /// The metrics of the batch alone.
  package var metrics: MetricValues { Self.metrics(sums, of: objective) }

  /// The figures that are means over all examples, and so can be told of several batches by their means: of pairs all of them.
  var meanFigures: MetricValues {
    let metrics = metrics.dropFirst()
    return objective.loss.judgesSingleAnswers ? metrics.filter { !$0.name.hasPrefix("rewards/") || $0.name.hasSuffix("accuracies") } : Array(metrics)
  }
}
