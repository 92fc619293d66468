import ArgumentParser
import Foundation
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
import GraftTensors
import GraftTokenizers
import GraftTraining

/// What went wrong as one line and an exit code of sysexits.
struct Failure {
  let message: String
  let code: Int32

  init(_ error: any Error) {
    message = "\(error)".split(separator: "\n").joined(separator: " ").printable
    code = Self.code(of: error)
  }

  private static func code(of error: any Error) -> Int32 {
    switch error {
    case let error as ConfigError: error.kind == .noSuchFile ? EX_NOINPUT : EX_USAGE
    case let error as DatasetError: error.kind == .noSuchFile ? EX_NOINPUT : EX_DATAERR
    case let error as CheckpointError:
      switch error.kind {
      case .malformed, .unsupported, .mismatchedBase: EX_DATAERR
      case .missing: EX_NOINPUT
      case .cannotCreate: EX_CANTCREAT
      case .inputOutput: EX_IOERR
      case .outOfMemory: EX_OSERR
      }
    case let error as SessionError: error.kind == .usage ? EX_USAGE : EX_DATAERR
    case is TuningError, is GenerationError: EX_USAGE
    case is MemoryError: EX_OSERR
    case is ReportError: EX_IOERR
    case is TokenizerError, is ArchitectureError, is WeightError, is TrainingError, is JSONError, is ChatTemplateError, is SequenceError: EX_DATAERR
    default: EX_SOFTWARE
    }
  }

  /// Whether the error comes from us rather than from the parsing of arguments.
  static func isOurs(_ error: any Error) -> Bool {
    switch error {
    case is ConfigError, is DatasetError, is CheckpointError, is SessionError, is TuningError, is ReportError, is TokenizerError, is ArchitectureError,
      is WeightError, is MemoryError, is TrainingError, is JSONError, is ChatTemplateError, is GenerationError, is SequenceError:
      true
    default: false
    }
  }
}

extension Failure {
  /// Ends the process with a line where the engine gets no more memory.
  static func reportExhaustedMemory() {
    BufferPool.whenExhausted.withLock { action in
      action = { byteCount in
        Console.error(
          "error: memory: \(Figure.bytes(byteCount)) more were asked for, and the system has no more; "
            + "lower training.batch_size or data.max_length, set training.gradient_checkpointing: true, or take a smaller model")
        _exit(EX_OSERR)
      }
    }
  }
}
