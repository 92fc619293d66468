import GraftLayers

/// One sequence that a decoder reads and writes in turns: what a turn has in common with the one before is not computed again.
public final class Conversation {
  private let generator: Generator
  private let batch: DecodingBatch
  /// The tokens that the model has read.
  private var held: [Int32] = []
  /// The number of tokens of the last prompt that had been read already.
  public private(set) var reusedCount = 0

  /// - Throws: `GenerationError` for a model that is not a decoder.
  public init(with model: any Model, endIDs: Set<Int32>) throws {
    guard model is any CausalLanguageModel else {
      throw GenerationError(.unsupported, "\(model.modelType) as loaded does not hold conversations; use a decoder")
    }
    generator = try Generator(continuing: model, endIDs: endIDs)
    batch = DecodingBatch(generator.decoder, [[]])
  }

  /// The ids that end a reply.
  public var endIDs: Set<Int32> { generator.endIDs }

  /// The number of tokens that the model has positions for; nil where there is no limit.
  public var positionLimit: Int? { model.maximumLength.map { $0 - generator.decoder.virtualTokenCount } }

  private var model: any LanguageModel { generator.decoder.model }

  /// Writes the reply to a prompt, which is all of the conversation so far.
  ///
  /// - Parameters:
  ///   - prompt: at least one token.
  ///   - turn: the number of the reply, which draws depend on beside the seed.
  ///   - isEnd: called with every new token; true ends the reply.
  /// - Returns: the new tokens, with the one that ended them.
  /// - Throws: `GenerationError` where the model's logits are not finite.
  public func reply(
    to prompt: [Int32], _ settings: SamplingSettings, turn: Int = 0, isEnd: (Int32) -> Bool = { _ in false }
  ) throws(GenerationError) -> [Int32] {
    let sampler = TokenSampler(settings, endIDs: generator.endIDs)
    goBack(to: prompt)
    var input = Array(prompt[reusedCount...])
    var written: [Int32] = []
    let limit = generator.limit(settings, after: prompt)
    while written.count < limit {
      let logits = try batch.logits(after: [input])
      held += input
      let token = logits.withRow(0) {
        sampler.choose($0, in: generator.context(of: written, after: prompt, limit: limit), sequence: turn, step: written.count)
      }
      written.append(token)
      if isEnd(token) || generator.endIDs.contains(token) { break }
      input = [token]
    }
    return written
  }

  /// Forgets what the prompt does not begin with; everything where the model cannot go back so far.
  private func goBack(to prompt: [Int32]) {
    // The last token is always read, for its logits. Where a prompt sees all of itself nothing of an earlier one holds.
    let common = model.attentionStyle == .prefix ? 0 : min(zip(held, prompt).prefix { $0 == $1 }.count, prompt.count - 1)
    reusedCount = batch.truncate(to: common) ? common : 0
    held.removeLast(held.count - reusedCount)
  }
}
