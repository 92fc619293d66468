import GraftLayers
import GraftTensors

/// Continues prompts token by token, keys and values of earlier tokens cached.
public struct Generator {
  public let model: any CausalLanguageModel
  /// The ids that end a sequence; the one met is part of the result.
  public let endIDs: Set<Int32>

  public init(_ model: any CausalLanguageModel, endIDs: Set<Int32>) {
    self.model = model
    self.endIDs = endIDs
  }

  /// The new tokens of every prompt.
  ///
  /// Prompts run together, end to end and without padding; one that is finished leaves the batch.
  /// - Parameters:
  ///   - prompts: at least one token each.
  ///   - onToken: told of every new token; false ends that sequence.
  public func callAsFunction(
    _ prompts: [[Int32]], _ settings: SamplingSettings, onToken: (_ prompt: Int, _ token: Int32) -> Bool = { _, _ in true }
  ) -> [[Int32]] {
    guard settings.maxNewTokens > 0, !prompts.isEmpty else { return prompts.map { _ in [] } }
    let sampler = TokenSampler(settings)
    let longest = prompts.map(\.count).max() ?? 0
    let cache = KeyValueCache(sequences: prompts.count, capacity: longest + settings.maxNewTokens)
    let pass = Pass(cache: cache)
    var results: [[Int32]] = prompts.map { _ in [] }
    var active = Array(prompts.indices)
    var inputs = prompts
    for step in 0..<settings.maxNewTokens {
      let input = SequenceInput(inputs, startingAt: cache.lengths)
      let hidden = model.hiddenStates(input, pass)
      cache.advance(by: inputs.map(\.count))
      let last = gatherRows(hidden, Tensor(input.spans.map { Int32($0.range.upperBound - 1) }))
      let logits = model.head(last, pass)
      let vocabulary = logits.shape.columns
      var going: [Int] = []
      for (place, prompt) in active.enumerated() {
        let row = UnsafeBufferPointer(start: logits.pointer + place * vocabulary, count: vocabulary)
        let token = sampler.choose(row, history: prompts[prompt] + results[prompt], sequence: prompt, step: step)
        results[prompt].append(token)
        if onToken(prompt, token) && !endIDs.contains(token) { going.append(place) }
      }
      guard !going.isEmpty else { break }
      if going.count < active.count {
        active = going.map { active[$0] }
        if step + 1 < settings.maxNewTokens { cache.select(going) }
      }
      inputs = active.map { [results[$0][results[$0].count - 1]] }
    }
    return results
  }
}
