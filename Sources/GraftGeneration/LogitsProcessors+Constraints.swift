import Foundation

extension LogitsProcessors {
  /// Applies the constraints in the order in which Transformers does.
  func constrain(_ scores: inout [Float], in context: DecodingContext) {
    let rules = settings.constraints
    bias(&scores, with: rules.sequenceBiases, behind: context.history)
    penalize(&scores, context.source, by: 1 / rules.encoderRepetitionPenalty)
    penalize(&scores, context.history, by: rules.repetitionPenalty)
    forbidRepetitions(of: rules.noRepeatNGramSize, in: context.history, behind: context.history, &scores)
    forbidRepetitions(of: rules.encoderNoRepeatNGramSize, in: context.source, behind: context.history, &scores)
    bias(&scores, with: forbiddenSequences, behind: context.history)
    if context.history.count < rules.minLength || context.newCount < rules.minNewTokens { forbid(endIDs, &scores) }
    if let first = rules.forcedFirstToken, context.history.count == 1 { force([first], &scores) }
    if !rules.forcedLastTokens.isEmpty, context.newCount == context.limit - 1 { force(rules.forcedLastTokens, &scores) }
    if rules.removesInvalidScores { replaceInvalid(&scores) }
    if let decay = rules.lengthDecay { favorEnd(&scores, decay, newCount: context.newCount) }
    forbid(rules.suppressedTokens, &scores)
    // With one token given and the next one forced, the first that is chosen comes after it.
    let firstStep = context.givenCount > 1 || rules.forcedFirstToken == nil ? 0 : 1
    if context.newCount == firstStep { forbid(rules.suppressedFirstTokens, &scores) }
  }

  private func bias(_ scores: inout [Float], with biases: [ScoreConstraints.SequenceBias], behind history: [Int32]) {
    guard !biases.isEmpty else { return }
    // Added up first, as a sum in another order rounds otherwise.
    var sums: [Int: Float] = [:]
    for bias in biases {
      guard let token = bias.tokens.last, history.suffix(bias.tokens.count - 1).elementsEqual(bias.tokens.dropLast()) else { continue }
      sums[Int(token), default: 0] += bias.bias
    }
    for (token, sum) in sums where scores.indices.contains(token) { scores[token] += sum }
  }

  private func penalize(_ scores: inout [Float], _ tokens: [Int32], by penalty: Float) {
    guard penalty != 1 else { return }
    for token in Set(tokens).lazy.map(Int.init) where scores.indices.contains(token) {
      scores[token] = scores[token] < 0 ? scores[token] * penalty : scores[token] / penalty
    }
  }

  /// Rules out the tokens that would complete what stands `size` tokens long in a text.
  private func forbidRepetitions(of size: Int, in text: [Int32], behind history: [Int32], _ scores: inout [Float]) {
    guard size > 0, text.count >= size, history.count >= size - 1 else { return }
    let beginning = history.suffix(size - 1)
    for start in 0...text.count - size where text[start..<start + size - 1].elementsEqual(beginning) {
      forbid(CollectionOfOne(text[start + size - 1]), &scores)
    }
  }

  private func forbid(_ tokens: some Sequence<Int32>, _ scores: inout [Float]) {
    for token in tokens.lazy.map(Int.init) where scores.indices.contains(token) { scores[token] = -.infinity }
  }

  private func force(_ tokens: [Int32], _ scores: inout [Float]) {
    for token in scores.indices { scores[token] = -.infinity }
    for token in tokens.lazy.map(Int.init) where scores.indices.contains(token) { scores[token] = 0 }
  }

  private func replaceInvalid(_ scores: inout [Float]) {
    let largest = Float.greatestFiniteMagnitude
    for token in scores.indices where !scores[token].isFinite {
      scores[token] = scores[token].isNaN ? 0 : scores[token] > 0 ? largest : -largest
    }
  }

  private func favorEnd(_ scores: inout [Float], _ decay: ScoreConstraints.LengthDecay, newCount: Int) {
    guard newCount > decay.start else { return }
    let growth = min(Float(pow(decay.factor, Double(newCount - decay.start)) - 1), .greatestFiniteMagnitude)
    for token in endIDs.lazy.map(Int.init) where scores.indices.contains(token) && scores[token].isFinite {
      scores[token] += abs(scores[token]) * growth
    }
  }
}
