import GraftBatching

/// A report on the encoding of a dataset's records.
public struct EncodingReport: Sendable, Equatable {
  /// Records read.
  public var recordCount = 0
  /// Examples that were longer than allowed and lost their end.
  public var truncatedCount = 0
  /// Masks, with the words behind them, that were lost where their texts were cut.
  public var lostMaskCount = 0
  /// Examples without any token left to learn from.
  public var droppedCount = 0
  /// Texts that were cut into windows.
  public var cutTextCount = 0
  /// Tokens of all examples.
  public var tokenCount = 0
  /// Tokens whose prediction carries loss.
  public var scoredTokenCount = 0
  /// Tokens of each record before anything was cut, sorted.
  public var lengths: [Int] = []

  /// A report of nothing.
  public init() {}

  /// The length that `share` of the records do not exceed.
  public func length(atQuantile share: Double) -> Int {
    guard !lengths.isEmpty else { return 0 }
    return lengths[min(lengths.count - 1, Int(share * Double(lengths.count)))]
  }
}

/// Examples ready for batches.
public struct EncodedDataset: Sendable {
  /// The examples.
  public var examples: [EncodedExample]
  /// The number of the record that each example comes of; one of a pair is that of its first segment.
  public var records: [Int]
  /// The report on their encoding.
  public var report: EncodingReport

  /// - Parameter records: the number of the record that each example comes of; nil for one each.
  public init(examples: [EncodedExample], records: [Int]? = nil, report: EncodingReport) {
    self.examples = examples
    self.records = records ?? Array(examples.indices)
    self.report = report
  }

  /// Some of the examples, in the order of `indices`, which may name one several times.
  public func choosing(_ indices: [Int]) -> EncodedDataset {
    EncodedDataset(examples: indices.map { examples[$0] }, records: indices.map { records[$0] }, report: report)
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
    var origins: [Int] = []
    var report = EncodingReport()
    for (record, windows) in try encoder.encodeRecords(records) {
      if windows.count > 1 { report.cutTextCount += 1 }
      for whole in windows {
        report.lengths.append(whole.wholeLength)
        report.lostMaskCount += whole.lostMaskCount
        for example in encoder.cut(whole, isDocument: records[record].isDocument, report: &report) {
          guard example.carriesLoss else {
            report.droppedCount += 1
            continue
          }
          report.tokenCount += example.tokens.count + (example.source?.count ?? 0)
          report.scoredTokenCount += example.scoredTokenCount
          examples.append(example)
          origins.append(record)
        }
      }
    }
    report.recordCount = records.count
    report.lengths.sort()
    guard !examples.isEmpty else { throw encoder.nothingToLearn(from: first.file, report) }
    return EncodedDataset(examples: examples, records: origins, report: report)
  }

  private func nothingToLearn(from file: String, _ report: EncodingReport) -> DatasetError {
    DatasetError(
      file: file,
      problem: "none of \(report.recordCount) examples has a token to learn from\(maxLength.map { " within \($0) tokens" } ?? "")",
      advice: format == .messages && report.truncatedCount == 0
        ? "name the assistant's role in data.roles, or give its messages a weight"
        : "raise max_length above the prompts' lengths (half of the examples have more than \(report.length(atQuantile: 0.5)) tokens)")
  }

  /// The examples that come of each record, or of all together where they are paired.
  private func encodeRecords(_ records: [DataRecord]) throws -> [(record: Int, examples: [CutExample])] {
    if pairsSentences, task == .maskedLM, format == .text { return try sentencePairs(records).map { ($0.document, [$0.pair]) } }
    return try encodeAll(records).enumerated().map { ($0, $1) }
  }

  private func cut(_ whole: CutExample, isDocument: Bool, report: inout EncodingReport) -> [EncodedExample] {
    let example = whole.example
    guard let maxLength, whole.wholeLength > maxLength else { return [example] }
    if task == .causalLM, format == .text, isDocument || cutsTextsIntoWindows {
      report.cutTextCount += 1
      return stride(from: 0, to: example.tokens.count, by: maxLength).map {
        example.slice($0..<min($0 + maxLength, example.tokens.count)).withoutLossOnFirst()
      }
    }
    report.truncatedCount += 1
    // What is no causal text was cut as it was encoded, but for the targets of many short spans.
    return [example.tokens.count > maxLength ? example.slice(0..<maxLength) : example]
  }
}

extension EncodedExample {
  /// The number of its tokens that a loss is taken of.
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
}
