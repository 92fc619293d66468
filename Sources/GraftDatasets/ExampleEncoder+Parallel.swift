import Dispatch
import GraftBatching
import Synchronization

extension ExampleEncoder {
  /// The example as an epoch has it, so that a text is not masked in the same places twice (Liu et al. 2019, section 4.1).
  ///
  /// - Parameters:
  ///   - example: one of plain text, as the first epoch has it; any other stays as it is.
  ///   - format: that of the data.
  ///   - index: the example's number.
  public func example(_ example: EncodedExample, of format: DataFormat, index: Int, epoch: Int) -> EncodedExample {
    guard epoch > 0, format == .text else { return example }
    return switch task {
    case .maskedLM: maskedAgain(example, index: index, epoch: epoch)
    case .seq2seqLM: corruptedAgain(example, index: index, epoch: epoch)
    default: example
    }
  }

  /// The examples of each record of a range in their order, encoded on all cores: one, or the windows of a text that spans are taken out of.
  ///
  /// - Throws: The error of the first record that has one.
  func encodeAll(_ records: RecordList, _ range: Range<Int>) throws -> [(record: EncodedRecord, examples: [CutExample])] {
    try encodeAll(range.count) { index in (range.lowerBound + index, try records[range.lowerBound + index]) }
  }

  /// The examples of records by their places in an order.
  func encodeAll(
    _ count: Int, _ record: @Sendable (Int) throws -> (number: Int, DataRecord)
  ) throws -> [(record: EncodedRecord, examples: [CutExample])] {
    try Self.onAllCores(count) { index -> Result<(record: EncodedRecord, examples: [CutExample]), any Error> in
      Result {
        let (number, record) = try record(index)
        return (EncodedRecord(number: number, isDocument: record.isDocument), try encodeWindows(record, index: number))
      }
    }.map { try $0.get() }
  }

  /// Each record of a range with its examples, or the error that it is refused with, encoded on all cores.
  func encodeEach(_ records: RecordList, _ range: Range<Int>) -> [Result<(record: DataRecord, examples: [CutExample]), any Error>] {
    Self.onAllCores(range.count) { index in
      Result {
        let record = try records[range.lowerBound + index]
        return (record, try encodeWindows(record, index: range.lowerBound + index))
      }
    }
  }

  /// The results of `body` for the numbers below `count`, in order.
  private static func onAllCores<T: Sendable>(_ count: Int, _ body: @Sendable (Int) -> T) -> [T] {
    let chunkSize = 256
    let chunkCount = (count + chunkSize - 1) / chunkSize
    let finished = Mutex<[[T]]>(Array(repeating: [], count: chunkCount))
    DispatchQueue.concurrentPerform(iterations: chunkCount) { chunk in
      let results = (chunk * chunkSize..<min((chunk + 1) * chunkSize, count)).map(body)
      finished.withLock { $0[chunk] = results }
    }
    return finished.withLock { $0.flatMap { $0 } }
  }

  private func encodeWindows(_ record: DataRecord, index: Int) throws -> [CutExample] {
    guard task == .seq2seqLM, try format(of: record) == .text else { return [try encode(record, index: index, cutTo: maxLength)] }
    return try spanCorrupted(record, index: index).map { CutExample($0) }
  }
}
