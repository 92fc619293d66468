import Foundation
import GraftFiles

extension TensorBoardWriter {
  /// Removes from a directory's event files all but the first events, as a run does that goes on from a checkpoint.
  ///
  /// - Parameter count: how many events are kept, over all files in the order in which they were begun; a file of which nothing is left goes.
  /// - Throws: `FileError` where a file cannot be shortened.
  package static func cut(directory: String, keeping count: Int) throws(FileError) {
    let names = ((try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? []).filter { $0.hasPrefix("events.out.tfevents.") }
    let files = names.map { name in
      (path: "\(directory)/\(name)", bytes: FileManager.default.contents(atPath: "\(directory)/\(name)") ?? Data())
    }
    var left = count
    for file in files.sorted(by: { beginning(of: $0.bytes) < beginning(of: $1.bytes) }) {
      let ends = recordEnds(of: file.bytes)
      // The first record says no more than what kind of file it is.
      let kept = min(left, max(0, ends.count - 1))
      left -= kept
      guard kept > 0 ? truncate(file.path, off_t(ends[kept])) == 0 : unlink(file.path) == 0 else {
        throw FileError(.inputOutput, file.path, "the file cannot be changed", remedy: "check its permissions")
      }
    }
  }

  /// Returns where each whole record ends: a length of 8 bytes, its check of 4, the event, its check of 4.
  private static func recordEnds(of bytes: Data) -> [Int] {
    var ends: [Int] = []
    var end = 0
    while bytes.count - end >= 16 {
      let length = number(bytes, at: end)
      guard length <= UInt64(bytes.count - end - 16) else { break }
      end += 16 + Int(length)
      ends.append(end)
    }
    return ends
  }

  /// Returns the time of the first event, its field 1, in seconds.
  private static func beginning(of bytes: Data) -> Double { bytes.count < 21 ? .infinity : Double(bitPattern: number(bytes, at: 13)) }

  private static func number(_ bytes: Data, at place: Int) -> UInt64 {
    bytes[(bytes.startIndex + place)..<(bytes.startIndex + place + 8)].reversed().reduce(0) { $0 << 8 | UInt64($1) }
  }
}
