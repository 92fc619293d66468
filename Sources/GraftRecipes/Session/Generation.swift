import GraftDatasets
import GraftGeneration
import GraftLayers
import GraftTokenizers

/// What was written after a prompt.
public struct GeneratedText: Sendable, Equatable {
  /// The new tokens: with the one that ended them, or those of the stop string.
  public var tokens: [Int32]
  /// Their text up to the stop string, special tokens left out.
  public var text: String
  /// Whether it ends because the model has no positions for more.
  public var isCut: Bool
}

extension ModelSession {
  /// The ids that end an answer: `generation_config.json`'s, or else the tokenizer's end of sequence.
  public var endIDs: Set<Int32> {
    let configured = directory.endOfSequenceIDs
    return configured.isEmpty ? Set([(try? tokenizer())?.endOfSequenceID].compactMap { $0 }) : configured
  }

  /// The prompts of a data file: its `prompt`s, or `source`s, whatever else the records hold.
  public func prompts(of path: String) throws -> [String] {
    try records(of: path).map { record in
      guard let key = ["prompt", "source", "text"].first(where: record.fields.contains), let prompt = record.fields[key]?.string else {
        throw DatasetError(file: record.file, line: record.line, problem: "has no \"prompt\" that is a text", advice: "write {\"prompt\": \"...\"}")
      }
      return prompt
    }
  }

  /// What is written after every prompt, a bounded number of prompts at a time.
  ///
  /// - Parameters:
  ///   - stops: texts that end an answer and are no part of it.
  ///   - onText: told of each whole character of an answer as soon as it is certain; prompts then run one after another, so
  ///     that the pieces come in order. Not for beam searches, which decide at the end.
  public func generate(
    _ prompts: [String], _ settings: SamplingSettings, stops: [String] = [], onText: ((_ prompt: Int, _ text: String) -> Void)? = nil
  ) throws -> [GeneratedText] {
    let tokenizer = try tokenizer()
    let generator = try Generator(continuing: model, endIDs: endIDs)
    let ids = try prompts.map { prompt in
      let ids = tokenizer.encode(prompt)
      guard !ids.isEmpty else { throw SessionError(.data, "\"\(prompt.prefix(20))\": has no tokens; a prompt needs at least one") }
      try model.check(ids, of: "\"\(prompt.prefix(20))\"")
      return ids
    }
    var texts = prompts.map { _ in WrittenText(tokenizer, stops: stops) }
    func isEnd(_ prompt: Int, _ written: [Int32]) -> Bool {
      guard settings.beams == nil else { return !stops.isEmpty && WrittenText.whole(written, tokenizer, stops: stops).hasStopped }
      guard let token = written.last, onText != nil || !stops.isEmpty else { return false }
      let piece = texts[prompt].append(token)
      if !piece.isEmpty { onText?(prompt, piece) }
      return texts[prompt].hasStopped
    }
    func size(_ prompt: Int) -> Int { (ids[prompt].count + min(settings.maxNewTokens, 1024)) * (settings.beams?.count ?? 1) }
    let groups = onText == nil ? ids.indices.grouped(tokens: size, atMost: 16_384) : ids.indices.map { [$0] }
    return try groups.flatMap { group in
      let written = try naming { try generator(group.map { ids[$0] }, settings, numbers: group) { isEnd(group[$0], $1) } }
      return zip(group, written).map { prompt, tokens in
        let rest = texts[prompt].finish()
        if !rest.isEmpty { onText?(prompt, rest) }
        let (text, hasStopped) = WrittenText.whole(tokens, tokenizer, stops: stops), hasEnded = tokens.last.map(generator.endIDs.contains) ?? false
        let isFull = tokens.count < settings.maxNewTokens && tokens.count == generator.positionLimit(after: ids[prompt])
        return GeneratedText(tokens: tokens, text: text, isCut: isFull && !hasStopped && !hasEnded)
      }
    }
  }

  /// Runs a generation; logits that are not finite become an error that names the damaged parameter.
  func naming<R>(_ generation: () throws -> R) throws -> R {
    do {
      return try generation()
    } catch let error as GenerationError where error.kind == .nonFinite {
      throw Self.nonFiniteError(path, model.catalog, adapters.deltas)
    }
  }
}
