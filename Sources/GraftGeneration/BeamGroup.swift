import Foundation

/// The sequences that are followed for one prompt, and the best that have ended: the bookkeeping of a beam search.
///
/// Ends, and what may still replace an ended sequence, are as in Transformers 5.
struct BeamGroup {
  struct Beam {
    /// The new tokens.
    var tokens: [Int32]
    /// The sum of their log-probabilities; over the length penalty where the sequence has ended.
    var score: Float
  }

  /// One token more for one of the beams.
  struct Candidate {
    /// The index of the running beam that it continues.
    var beam: Int
    var token: Int32
    /// The log-probability of the whole sequence.
    var score: Float
  }

  let settings: BeamSettings
  /// The most new tokens.
  let limit: Int
  private(set) var running = [Beam(tokens: [], score: 0)]
  /// Best first, no more than beams.
  private(set) var finished: [Beam] = []
  private(set) var isDone = false

  init(_ settings: BeamSettings, limit: Int) { (self.settings, self.limit) = (settings, limit) }

  /// The best sequence that has ended.
  var best: [Int32] { (finished.first ?? running.first)?.tokens ?? [] }

  private var isFull: Bool { finished.count == settings.count }

  /// Moves every beam on by a token.
  ///
  /// - Parameters:
  ///   - candidates: continuations of all beams, in the order in which they may end; enough of them that as many as there
  ///     are beams go on.
  ///   - isEnd: true of a sequence that is complete.
  /// - Returns: the index of the former beam that each of the present ones continues.
  mutating func advance(to candidates: [Candidate], isEnd: ([Int32]) -> Bool) -> [Int] {
    let length = (running.first?.tokens.count ?? 0) + 1
    let continued = candidates.map { Beam(tokens: running[$0.beam].tokens + [$0.token], score: $0.score) }
    let ends = continued.map { length >= limit || isEnd($0.tokens) }
    // Those behind the first few stand in for ended ones, but do not themselves end.
    for (beam, ends) in zip(continued, ends).prefix(settings.count) where ends {
      insert(Beam(tokens: beam.tokens, score: normalized(beam.score, length: length)))
    }
    // Drawn candidates do not come best first.
    let going = candidates.indices.filter { !ends[$0] }
      .sorted { (-candidates[$0].score, $0) < (-candidates[$1].score, $1) }.prefix(settings.count)
    running = going.map { continued[$0] }
    isDone = running.isEmpty || (isFull && (settings.earlyStopping == .always || !canImprove(after: length)))
    return going.map { candidates[$0].beam }
  }

  private mutating func insert(_ beam: Beam) {
    let index = finished.firstIndex { $0.score < beam.score } ?? finished.count
    finished.insert(beam, at: index)
    if finished.count > settings.count { finished.removeLast() }
  }

  /// True where the best running beam may still come before the last of the finished.
  private func canImprove(after length: Int) -> Bool {
    guard let best = running.first, let worst = finished.last else { return true }
    let finalLength = settings.earlyStopping == .never && settings.lengthPenalty > 0 ? limit : length
    return normalized(best.score, length: finalLength) > worst.score
  }

  private func normalized(_ score: Float, length: Int) -> Float { score / Float(pow(Double(length), Double(settings.lengthPenalty))) }
}
