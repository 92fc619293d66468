import Foundation
import ArgumentParser
import GraftAdapters
import GraftCheckpoints
import GraftConfiguration
import GraftDatasets
import GraftFiles
import GraftGeneration
import GraftJSON
import GraftLayers
import GraftModels
import GraftRecipes
import GraftTemplates
import GraftReports
import GraftSessions
import GraftTensors
import GraftTokenizers
import GraftTraining

/// A failure as one line and an exit code of sysexits.
struct Failure {
  let message: String
  let code: Int32

  init(_ error: any Error) {
    // Foundation's errors say neither which file nor what to do, and have no exit code.
    let error: any Error = FileError(foundation: error) ?? error
    message = "\(error)".split(separator: "\n").joined(separator: " ").printable
    code = Self.code(of: error)
  }

  private static func code(of error: any Error) -> Int32 {
    switch error {
    case let error as FileError: code(of: error.kind)
    case let error as InputFileError: error.isMalformed ? EX_DATAERR : error.isFailedReading ? EX_IOERR : EX_NOINPUT
    case let error as ConfigError:
      switch error.kind {
      case .invalid: EX_USAGE
      case .noSuchFile: EX_NOINPUT
      case .unreadable: EX_IOERR
      }
    case let error as DatasetError:
      switch error.kind {
      case .malformed: EX_DATAERR
      case .noSuchFile: EX_NOINPUT
      case .unreadable: EX_IOERR
      }
    case let error as CheckpointError:
      switch error.kind {
      case .malformed, .unsupported, .mismatchedBase: EX_DATAERR
      case .missing: code(of: FileError.Kind.missing)
      case .cannotCreate: code(of: FileError.Kind.cannotCreate)
      case .inputOutput: code(of: FileError.Kind.inputOutput)
      case .outOfMemory: code(of: FileError.Kind.outOfMemory)
      }
    case let error as TokenizerError: error.cause.map { code(of: $0 as any Error) } ?? EX_DATAERR
    case let error as SessionError: error.kind == .usage ? EX_USAGE : EX_DATAERR
    case is TuningError, is GenerationError: EX_USAGE
    case is MemoryError: EX_OSERR
    case is ReportError: EX_IOERR
    case is ArchitectureError, is WeightError, is TrainingError, is JSONError, is ChatTemplateError, is SequenceError: EX_DATAERR
    default: EX_SOFTWARE
    }
  }

  private static func code(of kind: FileError.Kind) -> Int32 {
    switch kind {
    case .missing: EX_NOINPUT
    case .cannotCreate: EX_CANTCREAT
    case .inputOutput: EX_IOERR
    case .outOfMemory: EX_OSERR
    }
  }

  /// Returns true for an error that comes from us, or from Foundation on our behalf, rather than from the parsing of arguments.
  static func isOurs(_ error: any Error) -> Bool {
    switch error {
    case is FileError, is InputFileError, is ConfigError, is DatasetError, is CheckpointError, is SessionError, is TuningError, is ReportError,
      is TokenizerError, is ArchitectureError, is WeightError, is MemoryError, is TrainingError, is JSONError, is ChatTemplateError,
      is GenerationError, is SequenceError:
      true
    default: FileError(foundation: error) != nil
    }
  }
}

extension Failure {
  /// Ends the process with a line where the engine gets no more memory.
  static func reportExhaustedMemory() {
    BufferPool.whenExhausted.withLock { action in
      action = { byteCount in
        Console.error(
          "error: out of memory: \(Figure.bytes(byteCount)) were asked for beside \(Figure.bytes(BufferPool.shared.statistics.bytesInUse)) in use; "
            + "lower training.batch_size or data.max_length, set training.gradient_checkpointing: true, or take a smaller model")
        _exit(EX_OSERR)
      }
    }
  }
}
