import GraftBatching

/// Examples that are encoded when training comes to them, a portion of records at a time.
public final class ExampleStream {
  private let records: RecordList
  private let encoder: ExampleEncoder
  private let planner: BatchPlanner
  private let check: (EncodedExample, Int) throws -> Void
  /// The examples of the steps to come that are known already.
  private var waiting: [Int: EncodedExample] = [:]
  /// The report on what was encoded so far.
  public private(set) var report = EncodingReport()

  /// - Parameter check: refuses an example that the model cannot read.
  /// - Throws: `DatasetError` for a first record that does not fit its format.
  public init(
    _ records: RecordList, encoder: ExampleEncoder, planner: BatchPlanner, check: @escaping (EncodedExample, _ record: Int) throws -> Void
  ) throws {
    guard let first = try records.first else { throw DatasetError(problem: "there are no records", advice: "name a data file that has some") }
    self.records = records
    self.encoder = try encoder.encoder(forFormatOf: first)
    self.planner = planner
    self.check = check
  }

  /// The number of records.
  public var recordCount: Int { records.count }

  /// The steps of a range, counted over all epochs; those before it are made as well, and passed over.
  public func steps(_ range: Range<Int>) -> StepSequence {
    waiting = [:]
    var steps = StreamedSteps(planner, recordCount: records.count) { [unowned self] in try encode($0) }
    var used: [Int] = []
    return StepSequence { [unowned self] in
      while true {
        for id in used { waiting[id] = nil }
        guard let step = try steps.next() else { throw encoder.nothingToLearn(from: records.file(of: 0), report) }
        guard step.index < range.upperBound else { return nil }
        used = step.microBatches.flatMap { $0 }
        if step.index >= range.lowerBound { return step }
      }
    }
  }

  /// The example of a step that `steps` returned last.
  public func example(_ id: Int) -> EncodedExample {
    guard let example = waiting[id] else { preconditionFailure("example \(id) is of no step at hand") }
    return example
  }

  /// The largest micro-batch that the first portion of the first epoch comes to, in tokens.
  ///
  /// - Throws: as encoding does.
  public func firstLargestBatch() throws -> Int {
    let steps = steps(0..<max(1, StreamedSteps.portionSize / planner.batchSize / planner.gradientAccumulationSteps))
    var largest = 0
    while let step = try steps.next() {
      for batch in step.microBatches {
        largest = max(largest, batch.reduce(0) { $0 + (waiting[$1]?.tokenCount ?? 0) })
      }
      if step.epoch > 0 { break }
    }
    return largest
  }

  /// The examples of records: the first of each has the record's number.
  private func encode(_ numbers: [Int32]) throws -> [StreamedSteps.Example] {
    let records = records
    let encoded = try encoder.encodeAll(numbers.count) { index in (Int(numbers[index]), try records[Int(numbers[index])]) }
    var examples: [StreamedSteps.Example] = []
    for (record, windows) in encoded {
      for (window, example) in encoder.kept(windows, isDocument: record.isDocument, report: &report).enumerated() {
        try check(example, record.number)
        let id = record.number + window * records.count
        waiting[id] = example
        examples.append(StreamedSteps.Example(id: id, length: example.packedLength))
      }
    }
    return examples
  }
}
