import GraftBatching

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
  public func encodeDataset(_ records: [DataRecord]) throws -> EncodedDataset { try encodeDataset(RecordList(records)) }

  /// Encodes records for training or evaluation, a few thousand at a time.
  ///
  /// - Parameter progress: told of the number of records that are done.
  /// - Throws: as for records in memory, and `FileError` where reading fails.
  public func encodeDataset(_ records: RecordList, progress: (Int) -> Void = { _ in }) throws -> EncodedDataset {
    var examples: [EncodedExample] = []
    var origins: [Int] = []
    let report = try encode(records, progress: progress) { example, record in
      examples.append(example)
      origins.append(record)
    }
    return EncodedDataset(examples: examples, records: origins, report: report)
  }

  /// Encodes records in order, and hands on each example that carries loss with the number of its record.
  ///
  /// - Parameter progress: told of the number of records that are done.
  func encode(
    _ records: RecordList, progress: (Int) -> Void = { _ in }, to sink: (EncodedExample, _ record: Int) throws -> Void
  ) throws -> EncodingReport {
    guard let first = try records.first else {
      throw DatasetError(problem: "there are no records", advice: "name a data file that has some")
    }
    let encoder = try encoder(forFormatOf: first)
    var report = EncodingReport()
    var isEmpty = true
    let isPaired = encoder.pairsSentences && task == .maskedLM && encoder.format == .text
    // Sentences are paired over all records; anything else is encoded for itself.
    let size = isPaired ? records.count : Self.portion
    for start in stride(from: 0, to: records.count, by: size) {
      let range = start..<min(start + size, records.count)
      for (record, windows) in try isPaired ? encoder.paired(records) : encoder.encodeAll(records, range) {
        for example in encoder.kept(windows, isDocument: record.isDocument, report: &report) {
          isEmpty = false
          try sink(example, record.number)
        }
      }
      progress(range.upperBound)
    }
    report.recordCount = records.count
    guard !isEmpty else { throw encoder.nothingToLearn(from: first.file, report) }
    return report
  }

  /// The number of records that are encoded before their examples are handed on.
  private static let portion = 4096

  /// The encoder of a format that the first record decides: a record of another one is a mistake, not a change of format.
  func encoder(forFormatOf first: DataRecord) throws -> ExampleEncoder {
    var encoder = self
    encoder.format = try format(of: first)
    guard encoder.format != .prompt else {
      throw first.error("a prompt alone has nothing to learn", "add \"completion\", or use {\"text\"}")
    }
    return encoder
  }

  /// The examples of a record that carry loss, cut to length.
  func kept(_ windows: [CutExample], isDocument: Bool, report: inout EncodingReport) -> [EncodedExample] {
    if windows.count > 1 { report.cutTextCount += 1 }
    var examples: [EncodedExample] = []
    for whole in windows {
      report.lengthCounts[whole.wholeLength, default: 0] += 1
      report.lostMaskCount += whole.lostMaskCount
      for example in cut(whole, isDocument: isDocument, report: &report) {
        guard task == .preference ? example.hasAnswers : example.carriesLoss else {
          report.droppedCount += 1
          continue
        }
        report.tokenCount += example.tokenCount
        report.scoredTokenCount += example.scoredTokenCount
        examples.append(example)
      }
    }
    return examples
  }

  func nothingToLearn(from file: String, _ report: EncodingReport) -> DatasetError {
    DatasetError(
      file: file,
      problem: "none of \(report.recordCount) examples has a token to learn from\(maxLength.map { " within \($0) tokens" } ?? "")",
      advice: format == .messages && report.truncatedCount == 0
        ? "name the assistant's role in data.roles, or give its messages a weight"
        : "raise max_length above the prompts' lengths (half of the examples have more than \(report.length(atQuantile: 0.5)) tokens)")
  }

  /// The pairs of sentences of all records together.
  private func paired(_ records: RecordList) throws -> [(record: EncodedRecord, examples: [CutExample])] {
    try sentencePairs((0..<records.count).map { try records[$0] }).map { (EncodedRecord(number: $0.document, isDocument: false), [$0.pair]) }
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
    return [example.cut(to: maxLength)]
  }
}

/// The record that examples come of.
struct EncodedRecord: Sendable {
  var number: Int
  var isDocument: Bool
}

extension EncodedExample {
  /// The number of its tokens that a loss is taken of.
  package var scoredTokenCount: Int { isScored.reduce(0) { $0 + ($1 ? 1 : 0) } }

  var carriesLoss: Bool { label != nil || isScored.contains(true) }

  /// True where a token is left of the answer, and of the one that it is compared with.
  var hasAnswers: Bool { isScored.contains(true) && (contrast?.isScored.contains(true) ?? true) }

  /// The first tokens, of the answer that it is compared with as well.
  func cut(to length: Int) -> EncodedExample {
    var result = tokens.count > length ? slice(0..<length) : self
    result.contrast = contrast?.cut(to: length)
    return result
  }

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
