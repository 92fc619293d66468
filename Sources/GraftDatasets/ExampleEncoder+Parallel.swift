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
    let chunkSize = 256
    let chunkCount = (count + chunkSize - 1) / chunkSize
    typealias Encoded = (record: EncodedRecord, examples: [CutExample])
    let finished = Mutex<[Result<[Encoded], any Error>?]>(Array(repeating: nil, count: chunkCount))
    DispatchQueue.concurrentPerform(iterations: chunkCount) { chunk in
      let result = Result {
        try (chunk * chunkSize..<min((chunk + 1) * chunkSize, count)).map { index -> Encoded in
          let (number, record) = try record(index)
          return (EncodedRecord(number: number, isDocument: record.isDocument), try encodeWindows(record, index: number))
        }
      }
      finished.withLock { $0[chunk] = result }
    }
    return try finished.withLock { try $0.compactMap { try $0?.get() } }.flatMap { $0 }
  }

  private func encodeWindows(_ record: DataRecord, index: Int) throws -> [CutExample] {
    guard task == .seq2seqLM, try format(of: record) == .text else { return [try encode(record, index: index, cutTo: maxLength)] }
    return try spanCorrupted(record, index: index).map { CutExample($0) }
  }
}
