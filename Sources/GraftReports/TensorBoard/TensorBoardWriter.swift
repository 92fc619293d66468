import Foundation
import GraftFiles

/// Writes a TensorBoard event file: records of length, check, `Event` message, check.
public final class TensorBoardWriter {
  /// The path of the file.
  public let path: String
  private let handle: FileHandle

  /// Begins a new file in `directory`; a resumed run adds a file beside the earlier ones, which `cut` shortens first.
  ///
  /// - Throws: `FileError` when the file cannot be made.
  public init(directory: String, now: Date = Date()) throws(FileError) {
    let host = ProcessInfo.processInfo.hostName
    let process = ProcessInfo.processInfo.processIdentifier
    let stamp = Int(now.timeIntervalSince1970)
    var serial = 0
    var candidate = ""
    repeat {
      candidate = "\(directory)/events.out.tfevents.\(stamp).\(host).\(process).\(serial)"
      serial += 1
    } while FileManager.default.fileExists(atPath: candidate)
    path = candidate
    let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
    guard descriptor >= 0 else {
      throw FileError(.inputOutput, path, "the file cannot be created", remedy: "check that its folder can be written to and that the disk has room")
    }
    handle = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
    try write { event in
      event.add(1, double: now.timeIntervalSince1970)
      event.add(3, string: "brain.Event:2")
    }
  }

  deinit { try? handle.close() }

  /// Writes the values of one step under their tags, for example `train/loss`.
  public func writeScalars(_ values: [(tag: String, value: Double)], step: Int, at time: Date = Date())
    throws(FileError)
  {
    try writeSummary(step: step, at: time) { summary in
      for (tag, number) in values {
        summary.add(1) { value in
          value.add(1, string: tag)
          value.add(2, float: Float(number))
        }
      }
    }
  }

  /// Writes a text, shown as Markdown.
  public func writeText(_ text: String, tag: String, step: Int = 0, at time: Date = Date()) throws(FileError) {
    try writeSummary(step: step, at: time) { summary in
      summary.add(1) { value in
        value.add(1, string: tag)
        value.add(8) { tensor in
          tensor.add(1, integer: 7)  // DT_STRING
          tensor.add(2) { shape in shape.add(2) { $0.add(1, integer: 1) } }
          tensor.add(8, string: text)
        }
        value.add(9) { metadata in
          metadata.add(1) { $0.add(1, string: "text") }
        }
      }
    }
  }

  /// Hands everything written to the disk.
  public func synchronize() throws(FileError) {
    do { try handle.synchronize() } catch { throw failure(error) }
  }

  private func writeSummary(step: Int, at time: Date, _ build: (inout ProtocolBuffer) -> Void) throws(FileError) {
    try write { event in
      event.add(1, double: time.timeIntervalSince1970)
      if step != 0 { event.add(2, integer: Int64(step)) }
      event.add(5, build)
    }
  }

  private func write(_ build: (inout ProtocolBuffer) -> Void) throws(FileError) {
    var event = ProtocolBuffer()
    build(&event)
    var record: [UInt8] = []
    record.append(littleEndian: UInt64(event.bytes.count))
    record.append(littleEndian: CRC32C.maskedChecksum(record))
    record += event.bytes
    record.append(littleEndian: CRC32C.maskedChecksum(event.bytes))
    do { try handle.write(contentsOf: record) } catch { throw failure(error) }
  }

  private func failure(_ error: any Error) -> FileError {
    FileError(.inputOutput, path, FileError(foundation: error)?.problem ?? "writing failed", remedy: "check the free space on the disk")
  }
}
