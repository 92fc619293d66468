import Foundation
import GraftTensors

extension Generator {
  /// The best sequence of every prompt by a search with beams (Graves 2012; as Transformers 5 does it).
  func search(
    _ prompts: [[Int32]], _ settings: SamplingSettings, _ beams: BeamSettings, isEnd: (_ prompt: Int, _ written: [Int32]) -> Bool
  ) throws(GenerationError) -> [[Int32]] {
    let starts = prompts.map(start), processing = ScoreProcessing(settings)
    // So many that, if every end of every beam is among the best, there is still one to go on with for each.
    let candidateCount = max(2, 1 + endIDs.count) * beams.count
    var groups = starts.map { BeamGroup(beams, limit: min(settings.maxNewTokens, room(after: $0))) }
    let reader = CachedReader(model, sources: prompts, sequences: prompts.count)
    var active = Array(prompts.indices), inputs = starts
    while !active.isEmpty {
      let logits = try reader.logits(after: inputs)
      var row = 0, parents: [Int] = [], going: [Int] = []
      for prompt in active {
        let running = groups[prompt].running, first = row
        var candidates: [BeamGroup.Candidate] = []
        for (beam, sequence) in running.enumerated() {
          var scores = logits.withRow(row, Self.logProbabilities)
          processing.penalize(&scores, history: starts[prompt] + sequence.tokens)
          for token in scores.indices { scores[token] += sequence.score }
          candidates += scores.withUnsafeBufferPointer { $0.largest(candidateCount) }.map {
            BeamGroup.Candidate(beam: beam, token: Int32($0.place), score: $0.value)
          }
          row += 1
        }
        // Stable, so that of equal ones the earlier beam's and the earlier token comes first.
        candidates.sort { $0.score != $1.score ? $0.score > $1.score : ($0.beam, $0.token) < ($1.beam, $1.token) }
        let sources = groups[prompt].advance(to: Array(candidates.prefix(candidateCount))) { tokens in
          tokens.last.map(endIDs.contains) ?? false || isEnd(prompt, tokens)
        }
        guard !groups[prompt].isDone else { continue }
        going.append(prompt)
        parents += sources.map { first + $0 }
      }
      if !going.isEmpty { reader.select(parents) }
      active = going
      inputs = going.flatMap { groups[$0].running.map { [$0.tokens[$0.tokens.count - 1]] } }
    }
    return groups.map(\.best)
  }

  private static func logProbabilities(_ logits: UnsafeBufferPointer<Float>) -> [Float] {
    let best = logits.max() ?? 0
    let logSum = log(logits.reduce(Float(0)) { $0 + exp($1 - best) })
    return logits.map { $0 - best - logSum }
  }
}
