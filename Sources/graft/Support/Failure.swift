import Foundation
import GraftErrors
import GraftFiles
import GraftReports
import GraftTensors

/// An error as one line and an exit status.
struct Failure {
  let message: String
  let status: ErrorStatus

  init(_ error: any Error) {
    let ours = Self.userError(error)
    message = "\(ours ?? error)".split(separator: "\n").joined(separator: " ").printable
    status = ours?.status ?? .software
  }

  /// True where the error comes from us, or from Foundation on our behalf, rather than from the parsing of arguments.
  static func isOurs(_ error: any Error) -> Bool { userError(error) != nil }

  /// Foundation's errors say neither which file nor what to do, and have no exit status.
  private static func userError(_ error: any Error) -> (any UserError)? { error as? any UserError ?? FileError(foundation: error) }
}

extension Failure {
  /// Ends the process with a line where the engine gets no more memory.
  static func reportExhaustedMemory() {
    BufferPool.whenExhausted.withLock { action in
      action = { byteCount in
        Console.error(
          "error: out of memory: \(Figure.bytes(byteCount)) were asked for beside \(Figure.bytes(BufferPool.shared.statistics.bytesInUse)) in use; "
            + "lower training.batch_size or data.max_length, set training.gradient_checkpointing: true, or take a smaller model")
        _exit(ErrorStatus.systemFailure.rawValue)
      }
    }
  }
}
