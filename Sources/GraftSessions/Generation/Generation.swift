import GraftDatasets
import GraftGeneration
import GraftLayers
import GraftTokenizers

/// The text written after a prompt.
public struct GeneratedText: Sendable, Equatable {
  /// The new tokens: with the one that ended them, or those of the stop string.
  public var tokens: [Int32]
  /// Their text up to the stop string, special tokens left out.
  public var text: String
  /// True where it ends because the model has no positions for more.
  public var isCut: Bool
}

/// A text to complete.
public struct GenerationPrompt: Sendable, Equatable {
  /// The text of the prompt.
  public var text: String
  /// Its place for messages, such as `prompts.jsonl:3`.
  public var place: String

  /// - Parameter place: its file and line, for messages.
  public init(_ text: String, place: String) { (self.text, self.place) = (text, place) }
}

extension ModelSession {
  /// The ids that end an answer: the checkpoint's, or else the tokenizer's end of sequence.
  public var endIDs: Set<Int32> {
    let configured = directory.endOfSequenceIDs
    return configured.isEmpty ? Set([(try? tokenizer())?.endOfSequenceID].compactMap { $0 }) : configured
  }

  /// The prompts of a data file: its `prompt`s, or `source`s, whatever else the records hold.
  public func prompts(of path: String) throws -> [GenerationPrompt] {
    try records(of: path).map { record in
      guard let key = ["prompt", "source", "text"].first(where: record.fields.contains), let prompt = record.fields[key]?.string else {
        throw DatasetError(file: record.file, line: record.line, problem: "has no \"prompt\" that is a text", advice: "write {\"prompt\": \"...\"}")
      }
      return GenerationPrompt(prompt, place: "\(record.file):\(record.line)")
    }
  }

  /// Returns the texts written after the prompts, a bounded number of prompts at a time.
  ///
  /// - Parameters:
  ///   - onText: told of each whole character of an answer as soon as it is certain; prompts then run one after another,
  ///     so that the pieces come in order. Not for beam searches, which decide at the end.
  ///   - progress: told how many prompts are answered.
  /// - Throws: `SessionError` for a prompt without tokens or without room for an answer, `SequenceError` for one that the model
  ///   has no place for; each names the prompt's place.
  public func generate(
    _ prompts: [GenerationPrompt], _ plan: GenerationPlan, onText: ((_ prompt: Int, _ text: String) -> Void)? = nil,
    progress: ProgressHandler = { _ in }
  ) throws -> [GeneratedText] {
    let tokenizer = try tokenizer()
    let settings = plan.settings
    let stops = plan.stops
    let generator = try Generator(continuing: model, endIDs: plan.endIDs, startID: plan.startID)
    let ids = try prompts.map { try tokens(of: $0, generator, settings) }
    var texts = prompts.map { _ in WrittenText(tokenizer, stops: stops) }
    func isEnd(_ prompt: Int, _ written: [Int32]) -> Bool {
      guard settings.beams == nil else { return !stops.isEmpty && WrittenText.whole(written, tokenizer, stops: stops).hasStopped }
      guard let token = written.last, onText != nil || !stops.isEmpty else { return false }
      let piece = texts[prompt].append(token)
      if !piece.isEmpty { onText?(prompt, piece) }
      return texts[prompt].hasStopped
    }
    func size(_ prompt: Int) -> Int {
      (ids[prompt].count + min(generator.newTokenLimit(settings, after: ids[prompt]), 1024)) * (settings.beams?.count ?? 1)
    }
    let groups = onText == nil ? ids.indices.grouped(tokens: size, atMost: 16_384) : ids.indices.map { [$0] }
    return try groups.flatMap { group in
      progress(RunProgress(.answering, group.first ?? 0, of: prompts.count))
      let written = try naming { try generator(group.map { ids[$0] }, settings, numbers: group) { isEnd(group[$0], $1) } }
      return zip(group, written).map { prompt, tokens in
        let rest = texts[prompt].finish()
        if !rest.isEmpty { onText?(prompt, rest) }
        let (text, hasStopped) = WrittenText.whole(tokens, tokenizer, stops: stops)
        let hasEnded = tokens.last.map(generator.endIDs.contains) ?? false
        let isFull =
          tokens.count < generator.newTokenLimit(settings, after: ids[prompt]) && tokens.count == generator.positionLimit(after: ids[prompt])
        return GeneratedText(tokens: tokens, text: text, isCut: isFull && !hasStopped && !hasEnded)
      }
    }
  }

  private func tokens(of prompt: GenerationPrompt, _ generator: Generator, _ settings: SamplingSettings) throws -> [Int32] {
    let ids = try tokenizer().promptIDs(prompt.text)
    guard !ids.isEmpty else { throw SessionError(.data, "\(prompt.place): the prompt has no tokens; write at least one word") }
    try model.check(ids, of: prompt.place)
    guard generator.newTokenLimit(settings, after: ids) > 0 else {
      throw SessionError(
        .data,
        "\(prompt.place): the prompt has \(ids.count) tokens, and the checkpoint's max_length is \(settings.maxLength ?? 0); set --max-new-tokens")
    }
    return ids
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
