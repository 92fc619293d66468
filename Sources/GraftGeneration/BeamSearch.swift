import Foundation
import GraftTensors

extension Generator {
  /// Returns the best sequence of every prompt by a search with beams (Graves 2012; as Transformers 5 does it).
  ///
  /// - Parameter numbers: the numbers that the draws of each prompt depend on beside the seed.
  func search(
    _ prompts: [[Int32]], _ settings: SamplingSettings, _ beams: BeamSettings, numbers: [Int],
    isEnd: (_ prompt: Int, _ written: [Int32]) -> Bool
  ) throws(GenerationError) -> [[Int32]] {
    let starts = prompts.map(decoder.start)
    let search = CandidateSearch(settings, beams, endIDs: endIDs)
    var groups = starts.map { BeamGroup(beams, limit: limit(settings, after: $0)) }
    var active = prompts.indices.filter { groups[$0].limit > 0 }
    var inputs = active.map { starts[$0] }
    let batch = makeBatch(active.map { prompts[$0] }, settings)
    while !active.isEmpty {
      let logits = try batch.logits(after: inputs)
      var row = 0
      var parents: [Int] = []
      var going: [Int] = []
      for prompt in active {
        let first = row
        row += groups[prompt].running.count
        let candidates = search.candidates(of: groups[prompt], logits, from: first, number: numbers[prompt]) {
          context(of: $0, after: prompts[prompt], limit: groups[prompt].limit)
        }
        let sources = groups[prompt].advance(to: candidates) { tokens in
          tokens.last.map(endIDs.contains) ?? false || isEnd(prompt, tokens)
        }
        guard !groups[prompt].isDone else { continue }
        going.append(prompt)
        parents += sources.map { first + $0 }
      }
      if !going.isEmpty { batch.select(parents) }
      active = going
      inputs = going.flatMap { groups[$0].running.map { [$0.tokens[$0.tokens.count - 1]] } }
    }
    return groups.map(\.best)
  }
}

/// Finds the continuations of a prompt's beams.
private struct CandidateSearch {
  private let settings: SamplingSettings
  private let processors: LogitsProcessors
  /// The number of candidates: if every end of every beam is among the best, there is still one to go on with for each.
  private let count: Int
  /// The number of tokens that filters leave each beam at least: one of them is no end.
  private let keptCount: Int
  private let stream: RandomStream

  init(_ settings: SamplingSettings, _ beams: BeamSettings, endIDs: Set<Int32>) {
    self.settings = settings
    processors = LogitsProcessors(settings, endIDs: endIDs)
    count = max(2, 1 + endIDs.count) * beams.count
    keptCount = max(2, 1 + endIDs.count)
    stream = RandomStream(seed: settings.seed).split("beams")
  }

  /// Returns the most probable continuations of a group's beams, best first; at a temperature above 0 as many that are drawn from
  /// them without replacement, in the order of the draws.
  ///
  /// - Parameters:
  ///   - logits: those of the group's beams from row `first` on.
  ///   - context: the context behind a beam's new tokens.
  func candidates(
    of group: BeamGroup, _ logits: Tensor, from first: Int, number: Int, in context: ([Int32]) -> DecodingContext
  ) -> [BeamGroup.Candidate] {
    var found: [(candidate: BeamGroup.Candidate, rank: Float)] = []
    for (beam, sequence) in group.running.enumerated() {
      let scores = scores(logits, row: first + beam, behind: sequence, in: context)
      let ranks = settings.temperature > 0 ? perturbed(scores, beam: beam, step: sequence.tokens.count, number: number) : scores
      // What is ruled out is no continuation.
      for (token, rank) in ranks.withUnsafeBufferPointer({ $0.largest(count) }) where scores[token] > -.infinity {
        found.append((BeamGroup.Candidate(beam: beam, token: Int32(token), score: scores[token]), rank))
      }
    }
    // Stable, so that of equal ones the earlier beam's and the earlier token comes first.
    found.sort { $0.rank != $1.rank ? $0.rank > $1.rank : ($0.candidate.beam, $0.candidate.token) < ($1.candidate.beam, $1.candidate.token) }
    return found.prefix(count).map(\.candidate)
  }

  /// Returns the log-probabilities of a beam with each token behind it.
  private func scores(_ logits: Tensor, row: Int, behind sequence: BeamGroup.Beam, in context: ([Int32]) -> DecodingContext) -> [Float] {
    var scores = logits.withRow(row) { logSoftmax(of: $0) }
    processors.process(&scores, keeping: keptCount, in: context(sequence.tokens))
    if settings.constraints.renormalizes { scores = scores.withUnsafeBufferPointer { logSoftmax(of: $0) } }
    for token in scores.indices { scores[token] += sequence.score }
    return scores
  }

  /// Returns log-probabilities with Gumbel noise: the largest are draws without replacement (Kool et al. 2019).
  private func perturbed(_ scores: [Float], beam: Int, step: Int, number: Int) -> [Float] {
    let stream = stream.split(number).split(step).split(beam)
    return scores.enumerated().map { token, score in
      score == -.infinity ? score : score - log(-log(max(stream.unit(at: token), .leastNormalMagnitude)))
    }
  }
}
