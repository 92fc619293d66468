import GraftLayers
import GraftTensors

/// Writes token by token, keys and values of earlier tokens cached: a decoder's continuation of prompts, or an
/// encoder-decoder's answer to sources.
public struct Generator {
  /// The ids that end a sequence; the one met is part of the result.
  public let endIDs: Set<Int32>
  let model: any LanguageModel

  /// - Throws: `GenerationError` for a model that does not generate.
  public init(continuing model: any Model, endIDs: Set<Int32>) throws {
    guard let model = model as? any LanguageModel, model is any CausalLanguageModel || model is any SequenceToSequenceModel else {
      throw GenerationError(.unsupported, "\(model.modelType) as loaded is not supported by generation; use a decoder or an encoder-decoder")
    }
    guard model.attentionStyle != .bidirectional else {
      throw GenerationError(.unsupported, "\(model.modelType) with bidirectional attention is not supported by generation; use causal or prefix")
    }
    self.model = model
    self.endIDs = endIDs
  }

  /// The new tokens of every prompt.
  ///
  /// Prompts run together, end to end and without padding; one that is finished leaves the batch. A sequence also ends
  /// where the model's positions do.
  /// - Parameters:
  ///   - prompts: at least one token each.
  ///   - numbers: what the draws of each prompt depend on beside the seed; its place where nil.
  ///   - isEnd: told of every sequence after each of its new tokens; true ends it. A beam search asks it about every
  ///     sequence that it considers.
  /// - Throws: `GenerationError` where the model's logits are not finite.
  public func callAsFunction(
    _ prompts: [[Int32]], _ settings: SamplingSettings, numbers: [Int]? = nil,
    isEnd: (_ prompt: Int, _ written: [Int32]) -> Bool = { _, _ in false }
  ) throws(GenerationError) -> [[Int32]] {
    guard settings.maxNewTokens > 0, !prompts.isEmpty else { return prompts.map { _ in [] } }
    if let beams = settings.beams { return try search(prompts, settings, beams, isEnd: isEnd) }
    let sampler = TokenSampler(settings), starts = prompts.map(start)
    let reader = CachedReader(model, sources: prompts, sequences: prompts.count)
    var inputs = starts, results: [[Int32]] = prompts.map { _ in [] }
    var active = Array(prompts.indices)
    for step in 0..<settings.maxNewTokens {
      let logits = try reader.logits(after: inputs)
      var going: [Int] = []
      for (place, prompt) in active.enumerated() {
        let token = logits.withRow(place) {
          sampler.choose($0, history: starts[prompt] + results[prompt], sequence: numbers?[prompt] ?? prompt, step: step)
        }
        results[prompt].append(token)
        if isEnd(prompt, results[prompt]) || endIDs.contains(token) { continue }
        if results[prompt].count < room(after: starts[prompt]) { going.append(place) }
      }
      guard !going.isEmpty else { break }
      if step + 1 < settings.maxNewTokens { reader.select(going) }
      active = going.map { active[$0] }
      inputs = active.map { [results[$0][results[$0].count - 1]] }
    }
    return results
  }

  /// How many tokens can follow a prompt before the model has no more positions; nil where there is no limit.
  public func positionLimit(after prompt: [Int32]) -> Int? { model.maximumLength.map { _ in room(after: start(prompt)) } }

  /// What the decoder reads first: an encoder-decoder's reads its start token, not the prompt.
  func start(_ prompt: [Int32]) -> [Int32] {
    (model as? any SequenceToSequenceModel).map { [$0.generationStartID] } ?? prompt
  }

  /// How many tokens can be written before the model has no more positions; the last one needs none.
  func room(after start: [Int32]) -> Int {
    let virtual = model is any SequenceToSequenceModel ? model.catalog.targetVirtualTokenCount : model.catalog.virtualTokenCount
    return model.maximumLength.map { max(1, $0 - virtual - start.count + 1) } ?? .max
  }
}
