import GraftBatching
import GraftFiles

/// The examples to train on: in memory, or in a file of tokens.
public enum TrainingExamples: Sendable {
  /// All of them in memory.
  case memory(EncodedDataset)
  /// Some of those in a file, in the order of their indices.
  case file(TokenFile, indices: [Int])

  /// The number of examples.
  public var count: Int {
    switch self {
    case .memory(let data): data.examples.count
    case .file(_, let indices): indices.count
    }
  }

  /// The room that each example takes in a packed row.
  public var packedLengths: [Int] {
    switch self {
    case .memory(let data): data.examples.map(\.packedLength)
    case .file(let file, let indices): indices.map { Int(file.packedLengths[$0]) }
    }
  }

  /// The tokens of each example, those of a source counted as well.
  public var tokenCounts: [Int] {
    switch self {
    case .memory(let data): data.examples.map(\.tokenCount)
    case .file(let file, let indices): indices.map { Int(file.tokenCounts[$0]) }
    }
  }

  /// The report on the encoding.
  public var report: EncodingReport {
    switch self {
    case .memory(let data): data.report
    case .file(let file, _): file.report
    }
  }

  /// The example of an index.
  ///
  /// - Throws: `FileError` where reading the file fails.
  public func example(_ index: Int) throws -> EncodedExample {
    switch self {
    case .memory(let data): data.examples[index]
    case .file(let file, let indices): try file.example(indices[index])
    }
  }

  /// The number of the record that an example comes of.
  ///
  /// - Throws: `FileError` where reading the file fails.
  public func record(_ index: Int) throws -> Int {
    switch self {
    case .memory(let data): data.records[index]
    case .file(let file, let indices): try file.record(indices[index])
    }
  }

  /// Some of the examples, in the order of `chosen`, which may name one several times.
  public func choosing(_ chosen: [Int]) -> TrainingExamples {
    switch self {
    case .memory(let data): .memory(data.choosing(chosen))
    case .file(let file, let indices): .file(file, indices: chosen.map { indices[$0] })
    }
  }
}

extension ExampleEncoder {
  /// The examples of records in a file of the cache: it is made where it is not there yet.
  ///
  /// - Parameters:
  ///   - identity: what the examples depend on beside the records and the encoder's settings: the tokenizer, and the limits that `check` knows.
  ///   - check: refuses an example that the model cannot read.
  ///   - progress: told of the number of records that are done, where they are encoded.
  /// - Throws: as `encodeDataset` does, what `check` throws, and `FileError` where the file cannot be made.
  public func encodeToFile(
    _ records: RecordList, identity: String, check: (EncodedExample, _ record: Int) throws -> Void, progress: (Int) -> Void
  ) throws -> TrainingExamples {
    let name = "tokens-\(SHA256.hash([try records.sha256, records.layoutIdentity, self.identity, identity].joined(separator: "\n")))"
    func write(_ writer: inout CacheWriter) throws {
      var tokens = TokenFile.Writer()
      let report = try encode(records, progress: progress) { example, record in
        try check(example, record)
        try tokens.put(example, record: record, to: &writer)
      }
      try tokens.finish(report, to: &writer)
    }
    let path = try CacheDirectory.file(name, write: write)
    let file: TokenFile
    do { file = try TokenFile(path) } catch let error as FileError where error.kind == .malformed {
      try CacheDirectory.replace(name, write: write)
      file = try TokenFile(path)
    }
    return .file(file, indices: Array(0..<file.count))
  }

  /// All settings that examples depend on; a program's own formats and templates by what they are called and written as.
  private var identity: String {
    [
      "1", task.rawValue, format.rawValue, "\(maxLength ?? 0)", "\(completionOnlyLoss)", "\(cutsTextsIntoWindows)", "\(requiresLabels)",
      labels.map { "\($0.names) \($0.problem.rawValue) \($0.isMultiHot)" } ?? "", "\(usesTypeIDs)", "\(marksPrompts)", "\(maskingSeed)",
      "\(corruption)", "\(pairsSentences)", renderChat?.source ?? "", "\(roles.sorted { $0.key < $1.key })",
    ].joined(separator: "\n")
  }
}
