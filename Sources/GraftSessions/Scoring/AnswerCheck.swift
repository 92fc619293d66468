import GraftDatasets
import GraftGeneration
import GraftLayers
import GraftTokenizers

/// Held-out prompts answered greedily and compared with what was expected.
package struct AnswerCheck {
  package struct Outcome {
    /// The share of answers equal to what was expected, white space at the ends left aside.
    package var exactMatch: Double
    package var answers: [AnsweredPrompt]
  }

  /// The name of the share of right answers.
  static let metric = "eval_exact_match"

  /// The most prompts that are answered.
  private static let largestCount = 512

  private let prompts: [(prompt: String, expected: String, ids: [Int32])]
  private let tokenizer: Tokenizer
  private let endIDs: Set<Int32>
  private let maxNewTokens: Int
  private let tokensAtOnce: Int

  /// The tokens that are in memory at once where nothing else is said.
  package static let usualTokens = 2048

  /// Nil where the model does not generate, or the records are not prompts with completions (the better of two) or sources with targets.
  ///
  /// As many prompts are taken as a fixed amount of arithmetic allows, so that a large model's check stays short. A source is cut
  /// as examples are; a prompt that the model has no positions for is left out.
  /// - Parameters:
  ///   - maxLength: the most tokens of a source.
  ///   - tokensAtOnce: the tokens of prompts and answers that are in memory at once.
  /// - Throws: what reading a record throws.
  package init?(
    records: RecordList, format: DataFormat, tokenizer: Tokenizer, model: any Model, endIDs: Set<Int32>, maxLength: Int? = nil,
    tokensAtOnce: Int = usualTokens
  ) throws {
    self.tokensAtOnce = tokensAtOnce
    guard [.promptCompletion, .seq2seq, .preference].contains(format), (try? Generator(continuing: model, endIDs: endIDs)) != nil else {
      return nil
    }
    let keys = format == .seq2seq ? ("source", "target") : ("prompt", format == .preference ? "chosen" : "completion")
    var pairs: [(String, String)] = []
    for index in 0..<records.count where pairs.count < Self.largestCount {
      let fields = try records[index].fields
      if let prompt = fields[keys.0]?.string, let completion = fields[keys.1]?.string { pairs.append((prompt, completion)) }
    }
    guard !pairs.isEmpty else { return nil }
    self.tokenizer = tokenizer
    self.endIDs = endIDs
    let longest = pairs.prefix(256).map { tokenizer.encode($0.1, addingSpecialTokens: false).count }.max() ?? 1
    maxNewTokens = min(256, longest + 4)
    let budget = 400_000_000_000 / (2 * model.catalog.parameterCount * (maxNewTokens + 64))
    let positions = model.maximumLength.map { max(1, $0 - model.catalog.virtualTokenCount) }
    let length = model is any SequenceToSequenceModel ? [positions, maxLength].compactMap { $0 }.min() : nil
    prompts = pairs.prefix(max(4, min(Self.largestCount, budget))).map { ($0.0, $0.1, tokenizer.promptIDs($0.0, cutTo: length)) }.filter {
      !$0.2.isEmpty && $0.2.count <= positions ?? .max
    }
    if prompts.isEmpty { return nil }
  }

  /// - Parameters:
  ///   - model: the model that answers, of the sizes that the prompts were chosen for.
  ///   - isInterrupted: asked between groups of prompts; true leaves the rest out.
  ///   - progress: told of the number of prompts that are answered.
  /// - Throws: `SessionError` where the model's logits are not finite.
  package func run(
    by model: any Model, isInterrupted: () -> Bool = { false }, progress: ProgressHandler = { _ in }
  ) throws -> Outcome {
    let generator = try Generator(continuing: model, endIDs: endIDs)
    var answers: [AnsweredPrompt] = []
    for group in groups(for: model) where !isInterrupted() {
      progress(RunProgress(.answering, answers.count, of: prompts.count))
      answers += zip(group, try written(group, generator, model)).map { index, tokens in
        AnsweredPrompt(prompt: prompts[index].prompt, expected: prompts[index].expected, answer: tokenizer.decode(tokens))
      }
    }
    let hits = answers.filter { $0.isExact }.count
    return Outcome(exactMatch: Double(hits) / Double(max(1, answers.count)), answers: answers)
  }

  /// Answers the prompts that take the most memory, as long as answers may be.
  /// - Throws: as `run` does.
  func rehearse(by model: any Model) throws {
    let size = { (group: [Int]) in group.reduce(0) { $0 + prompts[$1].ids.count + maxNewTokens } }
    guard let largest = groups(for: model).max(by: { size($0) < size($1) }) else { return }
    _ = try written(largest, Generator(continuing: model, endIDs: []), model)
  }

  /// The prompts that are answered together.
  package func groups(for model: any Model) -> [[Int]] {
    // A row of logits is as wide as so many hidden states.
    let logitsSize = model.vocabularySize / model.hiddenSize
    return prompts.indices.grouped(tokens: { prompts[$0].ids.count + maxNewTokens + logitsSize }, atMost: tokensAtOnce)
  }

  private func written(_ group: [Int], _ generator: Generator, _ model: any Model) throws -> [[Int32]] {
    var settings = SamplingSettings()
    settings.maxNewTokens = maxNewTokens
    do {
      return try generator(group.map { prompts[$0].ids }, settings)
    } catch {
      throw ModelSession.nonFiniteError(model.modelType, model.catalog, [])
    }
  }
}

extension AnsweredPrompt {
  /// True where the answer is what was expected, white space at the ends left aside.
  public var isExact: Bool { answer.trimmed == expected.trimmed }
}

extension String {
  fileprivate var trimmed: Substring {
    guard let first = firstIndex(where: { !$0.isWhitespace }), let last = lastIndex(where: { !$0.isWhitespace }) else { return "" }
    return self[first...last]
  }
}
