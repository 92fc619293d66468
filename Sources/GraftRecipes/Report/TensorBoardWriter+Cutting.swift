import Foundation

extension TensorBoardWriter {
  /// Removes from a directory's event files all that tells of later steps than one, as a run does that goes on from a checkpoint.
  ///
  /// - Parameter step: nil removes the files.
  /// - Throws: `ReportError` where a file cannot be shortened.
  package static func cut(directory: String, after step: Int?) throws(ReportError) {
    let names = ((try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? []).filter { $0.hasPrefix("events.out.tfevents.") }
    for path in names.map({ "\(directory)/\($0)" }) {
      guard let bytes = FileManager.default.contents(atPath: path) else { continue }
      let (end, holdsSteps) = step.map { extent(of: bytes, upTo: $0) } ?? (0, false)
      // The first record says no more than what kind of file it is.
      guard holdsSteps ? truncate(path, off_t(end)) == 0 : unlink(path) == 0 else {
        throw ReportError(path: path, problem: "the file cannot be changed", advice: "check its permissions")
      }
    }
  }

  /// Returns the length of the whole records up to a step, and whether any of them is an event of a run.
  private static func extent(of bytes: Data, upTo step: Int) -> (end: Int, holdsSteps: Bool) {
    var end = 0, count = 0
    while bytes.count - end >= 16 {
      let start = bytes.startIndex + end
      let length = bytes[start..<start + 8].reversed().reduce(0) { $0 << 8 | UInt64($1) }
      guard length <= UInt64(bytes.count - end - 16) else { break }
      let event = bytes[start + 12..<start + 12 + Int(length)]
      guard self.step(of: event) <= step else { break }
      end += 16 + Int(length)
      count += 1
    }
    return (end, count > 1)
  }

  /// Returns the step of an `Event` as this writer lays it out: nine bytes of time, then field 2 where the step is not 0.
  private static func step(of event: Data) -> Int {
    guard event.count > 9, event[event.startIndex + 9] == 2 << 3 else { return 0 }
    var step = 0, shift = 0
    for byte in event[(event.startIndex + 10)...].prefix(9) {
      step |= Int(byte & 0x7F) << shift
      shift += 7
      if byte < 0x80 { break }
    }
    return step
  }
}
