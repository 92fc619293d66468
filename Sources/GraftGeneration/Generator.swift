import GraftLayers
import GraftTensors

/// Writes token by token, keys and values of earlier tokens cached: a decoder's continuation of prompts, or an
/// encoder-decoder's answer to sources.
public struct Generator {
  /// The ids that end a sequence; the one met is part of the result.
  public let endIDs: Set<Int32>
  private let model: any LanguageModel

  /// - Throws: `GenerationError` for a model that does not generate.
  public init(continuing model: any Model, endIDs: Set<Int32>) throws {
    guard let model = model as? any LanguageModel, model is any CausalLanguageModel || model is any SequenceToSequenceModel else {
      throw GenerationError("\(model.modelType) as loaded is not supported by generation; use a decoder or an encoder-decoder")
    }
    guard model.attentionStyle != .bidirectional else {
      throw GenerationError("\(model.modelType) with bidirectional attention is not supported by generation; use causal or prefix")
    }
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
    // An encoder-decoder reads the prompts once and starts from its start token.
    let sequenceToSequence = model as? any SequenceToSequenceModel
    let source = sequenceToSequence.map { $0.encode(SequenceInput(prompts), .inference) }
    var inputs = sequenceToSequence.map { model in prompts.map { _ in [model.decoderStartID] } } ?? prompts
    let longest = inputs.map(\.count).max() ?? 0
    let cache = KeyValueCache(sequences: prompts.count, capacity: longest + settings.maxNewTokens)
    let pass = Pass(cache: cache)
    var results: [[Int32]] = prompts.map { _ in [] }
    var active = Array(prompts.indices)
    for step in 0..<settings.maxNewTokens {
      var input = SequenceInput(inputs, startingAt: cache.lengths)
      // Whole prompts: a prefix model's see themselves in both directions; what is written after them is causal.
      if step == 0 { input.promptLengths = inputs.map(\.count) }
      let hidden: Tensor
      if let sequenceToSequence, let source {
        hidden = sequenceToSequence.decode(input, over: source, pass)
      } else {
        hidden = model.hiddenStates(input, pass)
      }
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

/// A request that generation cannot serve.
public struct GenerationError: Error, CustomStringConvertible {
  public let description: String

  init(_ description: String) { self.description = description }
}
