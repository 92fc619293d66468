import GraftLayers
import GraftTensors

/// Writes token by token: a decoder's continuations of prompts, or an encoder-decoder's answers to them.
public struct Generator {
  /// The ids that end a sequence; the one met is part of the result.
  public let endIDs: Set<Int32>
  let decoder: Decoder

  /// - Parameter startID: the token that the decoder of an encoder-decoder reads first; the model's own where nil.
  /// - Throws: `GenerationError` for a model that does not generate, or a start outside its vocabulary.
  public init(continuing model: any Model, endIDs: Set<Int32>, startID: Int32? = nil) throws {
    decoder = try Decoder(model, startID: startID)
    self.endIDs = endIDs
  }

  /// Returns the new tokens of every prompt.
  ///
  /// Prompts run together, end to end and without padding; one that is finished leaves the batch. A sequence also ends
  /// where the model's positions do.
  /// - Parameters:
  ///   - prompts: at least one token each.
  ///   - numbers: the numbers that the draws of each prompt depend on beside the seed; its index where nil.
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
    let starts = prompts.map(decoder.start)
    let limits = starts.map { limit(settings, after: $0) }
    var results: [[Int32]] = prompts.map { _ in [] }
    var active = prompts.indices.filter { limits[$0] > 0 }
    var inputs = active.map { starts[$0] }
    var step = 0
    let batch = makeBatch(active.map { prompts[$0] }, settings)
    while !active.isEmpty {
      let logits = try batch.logits(after: inputs)
      var going: [Int] = []
      for (row, prompt) in active.enumerated() {
        let token = logits.withRow(row) {
          sampler.choose(
            $0, in: context(of: results[prompt], after: prompts[prompt], limit: limits[prompt]), sequence: numbers[prompt], step: step)
        }
        results[prompt].append(token)
        if isEnd(prompt, results[prompt]) || endIDs.contains(token) { continue }
        if results[prompt].count < limits[prompt] { going.append(row) }
      }
      step += 1
      if !going.isEmpty { batch.select(going) }
      active = going.map { active[$0] }
      inputs = active.map { [results[$0][results[$0].count - 1]] }
    }
    return results
  }

  /// Returns the number of tokens that can follow a prompt before the model has no more positions; nil where there is no limit.
  public func positionLimit(after prompt: [Int32]) -> Int? {
    decoder.model.maximumLength.map { _ in decoder.room(after: decoder.start(for: prompt)) }
  }

  /// Returns the number of tokens that the settings allow to follow a prompt; none or fewer where it is as long as a sequence
  /// may be.
  public func newTokenLimit(_ settings: SamplingSettings, after prompt: [Int32]) -> Int {
    settings.maxLength.map { $0 - decoder.start(for: prompt).count } ?? settings.maxNewTokens
  }

  /// Returns the most tokens that follow those the decoder reads first.
  func limit(_ settings: SamplingSettings, after start: [Int32]) -> Int {
    min(settings.maxLength.map { $0 - start.count } ?? settings.maxNewTokens, decoder.room(after: start))
  }

  /// Returns a prompt's sequence so far, as logits processors read it.
  func context(of written: [Int32], after prompt: [Int32], limit: Int) -> DecodingContext {
    let start = decoder.start(for: prompt)
    return DecodingContext(history: start + written, givenCount: start.count, source: prompt, limit: limit)
  }

  /// Returns prompts as a batch to decode.
  func makeBatch(_ prompts: [[Int32]], _ settings: SamplingSettings) -> DecodingBatch {
    // The last token of a sequence is not read.
    let longest = prompts.map(decoder.start).map { $0.count + min(limit(settings, after: $0), Int(Int32.max)) - 1 }.max() ?? 0
    return DecodingBatch(decoder, prompts, longest: longest, allowsInvalidLogits: settings.constraints.removesInvalidScores)
  }
}
