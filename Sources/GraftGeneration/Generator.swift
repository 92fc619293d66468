import GraftLayers
import GraftTensors

/// Writes token by token, keys and values of earlier tokens cached: a decoder's continuation of prompts, or an
/// encoder-decoder's answer to sources.
public struct Generator {
  /// The ids that end a sequence; the one met is part of the result.
  public let endIDs: Set<Int32>
  let model: any LanguageModel
  private let startID: Int32?

  /// - Parameter startID: what the decoder of an encoder-decoder reads first; the model's own where nil.
  /// - Throws: `GenerationError` for a model that does not generate, or a start outside its vocabulary.
  public init(continuing model: any Model, endIDs: Set<Int32>, startID: Int32? = nil) throws {
    guard let model = model as? any LanguageModel, model is any CausalLanguageModel || model is any SequenceToSequenceModel else {
      throw GenerationError(.unsupported, "\(model.modelType) as loaded is not supported by generation; use a decoder or an encoder-decoder")
    }
    guard model.attentionStyle != .bidirectional else {
      throw GenerationError(.unsupported, "\(model.modelType) with bidirectional attention is not supported by generation; use causal or prefix")
    }
    self.model = model
    self.endIDs = endIDs
    self.startID = (model as? any SequenceToSequenceModel).map { startID ?? $0.generationStartID }
    if let start = self.startID, start < 0 || start >= model.vocabularySize {
      throw GenerationError(
        .unsupported,
        "decoder_start_token_id: is \(start); \(model.modelType) has a vocabulary of \(model.vocabularySize): correct generation_config.json or config.json"
      )
    }
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
    guard !prompts.isEmpty else { return [] }
    let numbers = numbers ?? Array(prompts.indices)
    if let beams = settings.beams { return try search(prompts, settings, beams, numbers: numbers, isEnd: isEnd) }
    let sampler = TokenSampler(settings, endIDs: endIDs)
    let starts = prompts.map(start)
    let limits = starts.map { limit(settings, after: $0) }
    var results: [[Int32]] = prompts.map { _ in [] }
    var active = prompts.indices.filter { limits[$0] > 0 }
    var inputs = active.map { starts[$0] }
    var step = 0
    let reader = makeReader(active.map { prompts[$0] }, settings)
    while !active.isEmpty {
      let logits = try reader.logits(after: inputs)
      var going: [Int] = []
      for (row, prompt) in active.enumerated() {
        let token = logits.withRow(row) {
          sampler.choose(
            $0, at: place(behind: results[prompt], of: prompts[prompt], limit: limits[prompt]), sequence: numbers[prompt], step: step)
        }
        results[prompt].append(token)
        if isEnd(prompt, results[prompt]) || endIDs.contains(token) { continue }
        if results[prompt].count < limits[prompt] { going.append(row) }
      }
      step += 1
      if !going.isEmpty { reader.select(going) }
      active = going.map { active[$0] }
      inputs = active.map { [results[$0][results[$0].count - 1]] }
    }
    return results
  }

  /// How many tokens can follow a prompt before the model has no more positions; nil where there is no limit.
  public func positionLimit(after prompt: [Int32]) -> Int? { model.maximumLength.map { _ in room(after: start(prompt)) } }

  /// How many tokens the settings allow to follow a prompt; none or fewer where it is as long as a sequence may be.
  public func newTokenLimit(_ settings: SamplingSettings, after prompt: [Int32]) -> Int {
    settings.maxLength.map { $0 - start(prompt).count } ?? settings.maxNewTokens
  }

  /// How many tokens follow what the decoder reads first at most.
  func limit(_ settings: SamplingSettings, after start: [Int32]) -> Int {
    min(settings.maxLength.map { $0 - start.count } ?? settings.maxNewTokens, room(after: start))
  }

  /// What the decoder reads first: an encoder-decoder's reads its start token, not the prompt.
  func start(_ prompt: [Int32]) -> [Int32] { startID.map { [$0] } ?? prompt }

  func place(behind written: [Int32], of prompt: [Int32], limit: Int) -> ScorePlace {
    let start = start(prompt)
    return ScorePlace(history: start + written, givenCount: start.count, source: prompt, limit: limit)
  }

  /// A reader of prompts and what follows them.
  func makeReader(_ prompts: [[Int32]], _ settings: SamplingSettings) -> CachedReader {
    // The last token of a sequence is not read.
    let longest = prompts.map(start).map { $0.count + min(limit(settings, after: $0), Int(Int32.max)) - 1 }.max() ?? 0
    return CachedReader(
      model, sources: prompts, sequences: prompts.count, longest: longest,
      allowsInvalidLogits: settings.constraints.removesInvalidScores)
  }

  /// How many tokens can be written before the model has no more positions; the last one needs none.
  func room(after start: [Int32]) -> Int {
    let virtual = model is any SequenceToSequenceModel ? model.catalog.targetVirtualTokenCount : model.catalog.virtualTokenCount
    return model.maximumLength.map { max(1, $0 - virtual - start.count + 1) } ?? .max
  }
}
