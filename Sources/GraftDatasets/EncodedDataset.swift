import GraftBatching

/// What became of the records of a dataset.
public struct EncodingReport: Sendable, Equatable {
  /// Records read.
  public var recordCount = 0
  /// Examples that were longer than allowed and lost their end.
  public var truncatedCount = 0
  /// Examples without any token left to learn from.
  public var droppedCount = 0
  /// Texts that were cut into windows.
  public var cutTextCount = 0
  public var tokenCount = 0
  public var scoredTokenCount = 0
  /// Tokens of each record before anything was cut, sorted.
  public var lengths: [Int] = []

  public init() {}

  /// The length that `share` of the records do not exceed.
  public func length(atQuantile share: Double) -> Int {
    guard !lengths.isEmpty else { return 0 }
    return lengths[min(lengths.count - 1, Int(share * Double(lengths.count)))]
  }
}

/// Examples ready for batches.
public struct EncodedDataset: Sendable {
  public var examples: [EncodedExample]
  public var report: EncodingReport

  public init(examples: [EncodedExample], report: EncodingReport) {
    self.examples = examples
    self.report = report
  }
}

extension ExampleEncoder {
  /// Encodes records for training or evaluation: examples longer than `maxLength` are cut, those without a token left to
  /// learn from dropped.
  ///
  /// - Throws: `DatasetError` for a record that does not fit its format, and when nothing remains.
  public func encodeDataset(_ records: [DataRecord]) throws -> EncodedDataset {
    guard let first = records.first else {
      throw DatasetError(problem: "there are no records", advice: "name a data file that has some")
    }
    // The first record decides the format: a record of another one is a mistake, not a change of format.
    var encoder = self
    encoder.format = try format(of: first)
    guard encoder.format != .prompt else {
      throw first.error("a prompt alone has nothing to learn", "add \"completion\", or use {\"text\"}")
    }
    var examples: [EncodedExample] = []
    var report = EncodingReport()
    for (isDocument, windows) in try encoder.encodeRecords(records) {
      if windows.count > 1 { report.cutTextCount += 1 }
      for whole in windows {
        report.lengths.append(whole.packedLength)
        for example in encoder.cut(whole, isDocument: isDocument, report: &report) {
          guard example.carriesLoss else {
            report.droppedCount += 1
            continue
          }
          report.tokenCount += example.tokens.count + (example.source?.count ?? 0)
          report.scoredTokenCount += example.scoredTokenCount
          examples.append(example)
        }
      }
    }
    report.recordCount = records.count
    report.lengths.sort()
    guard !examples.isEmpty else {
      throw DatasetError(
        file: first.file,
        problem:
          "none of \(records.count) examples has a token to learn from\(maxLength.map { " within \($0) tokens" } ?? "")",
        advice:
          "raise max_length above the prompts' lengths (half of the examples have more than \(report.length(atQuantile: 0.5)) tokens)"
      )
    }
    return EncodedDataset(examples: examples, report: report)
  }

  /// The examples that come of each record, or of all together where they are paired.
  private func encodeRecords(_ records: [DataRecord]) throws -> [(isDocument: Bool, examples: [EncodedExample])] {
    if pairsSentences, task == .maskedLM, format == .text { return try sentencePairs(records).map { (false, [$0]) } }
    return zip(records, try encodeAll(records)).map { ($0.isDocument, $1) }
  }

  private func cut(_ example: EncodedExample, isDocument: Bool, report: inout EncodingReport) -> [EncodedExample] {
    guard let maxLength, example.packedLength > maxLength else { return [example] }
    if task == .causalLM, format == .text, isDocument || cutsTextsIntoWindows {
      report.cutTextCount += 1
      return stride(from: 0, to: example.tokens.count, by: maxLength).map {
        example.slice($0..<min($0 + maxLength, example.tokens.count)).withoutLossOnFirst()
      }
    }
    report.truncatedCount += 1
    if task == .causalLM { return [example.slice(0..<maxLength)] }
    return [example.keepingSpecialTokens(maxLength: maxLength, isSpecial: tokenizer.isSpecial)]
  }
}

extension EncodedExample {
  /// How many tokens of it a loss is taken of.
  var scoredTokenCount: Int { isScored.reduce(0) { $0 + ($1 ? 1 : 0) } }

  var carriesLoss: Bool { label != nil || isScored.contains(true) }

  func slice(_ range: Range<Int>) -> EncodedExample {
    var result = self
    result.tokens = Array(tokens[range])
    result.isScored = Array(isScored[range])
    result.lossWeights = lossWeights.map { Array($0[range]) }
    result.typeIDs = typeIDs.map { Array($0[range]) }
    result.tokenLabels = tokenLabels.map { Array($0[range]) }
    result.promptLength = promptLength.map { min($0, range.count) }
    return result
  }

  /// Shortens by leaving out ordinary tokens, always the last of the longest segment, so that what separates and ends the
  /// segments stays.
  func keepingSpecialTokens(maxLength: Int, isSpecial: (Int32) -> Bool) -> EncodedExample {
    var result = self
    if let source, source.count > maxLength {
      let kept = Self.kept(source, segments: [source.indices], maxLength: maxLength, isSpecial: isSpecial)
      result.source = kept.map { source[$0] }
    }
    guard tokens.count > maxLength else { return result }
    let kept = Self.kept(tokens, segments: segments, maxLength: maxLength, isSpecial: isSpecial)
    result.tokens = kept.map { tokens[$0] }
    result.isScored = kept.map { isScored[$0] }
    result.lossWeights = lossWeights.map { lossWeights in kept.map { lossWeights[$0] } }
    result.typeIDs = typeIDs.map { typeIDs in kept.map { typeIDs[$0] } }
    result.tokenLabels = tokenLabels.map { tokenLabels in kept.map { tokenLabels[$0] } }
    return result
  }

  /// The runs of equal segment ids.
  private var segments: [Range<Int>] {
    guard let typeIDs, let boundary = typeIDs.firstIndex(where: { $0 != typeIDs.first }) else {
      return [tokens.indices]
    }
    return [0..<boundary, boundary..<tokens.count]
  }

  private static func kept(_ ids: [Int32], segments: [Range<Int>], maxLength: Int, isSpecial: (Int32) -> Bool) -> [Int]
  {
    var ordinary = segments.map { $0.filter { !isSpecial(ids[$0]) } }
    let specials = segments.flatMap { $0.filter { isSpecial(ids[$0]) } }
    while ordinary.reduce(specials.count, { $0 + $1.count }) > maxLength {
      guard let longest = ordinary.indices.max(by: { ordinary[$0].count < ordinary[$1].count }),
        !ordinary[longest].isEmpty
      else {
        break
      }
      ordinary[longest].removeLast()
    }
    return Array((specials + ordinary.flatMap { $0 }).sorted().prefix(maxLength))
  }
}
