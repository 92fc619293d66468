import Dispatch
import GraftBatching
import Synchronization

extension ExampleEncoder {
  /// The examples of the records in their order, encoded on all cores.
  ///
  /// - Throws: The error of the first record that has one.
  func encodeAll(_ records: [DataRecord]) throws -> [EncodedExample] {
    let chunkSize = 256
    let chunkCount = (records.count + chunkSize - 1) / chunkSize
    let finished = Mutex<[Result<[EncodedExample], any Error>?]>(Array(repeating: nil, count: chunkCount))
    DispatchQueue.concurrentPerform(iterations: chunkCount) { chunk in
      let range = chunk * chunkSize..<min((chunk + 1) * chunkSize, records.count)
      let result = Result { try range.map { try encode(records[$0], index: $0) } }
      finished.withLock { $0[chunk] = result }
    }
    return try finished.withLock { try $0.compactMap { try $0?.get() } }.flatMap { $0 }
  }
}
