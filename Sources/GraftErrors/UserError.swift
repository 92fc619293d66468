/// An error that a user can cause, and mend: one line that says where, what, and how to fix it.
///
/// Whatever else is thrown is taken for a fault of the program.
public protocol UserError: Error, CustomStringConvertible {
  /// `WHERE: WHAT; HOW TO FIX`.
  var description: String { get }
  /// The exit status of a command that ends with the error.
  var status: ErrorStatus { get }
}

/// The exit statuses of commands, as BSD's `sysexits.h` numbers them.
public enum ErrorStatus: Int32, Sendable, CaseIterable {
  /// The command, or its configuration, asks for what it must not (`EX_USAGE`).
  case usage = 64
  /// The content of an input is not what it should be (`EX_DATAERR`).
  case malformedInput = 65
  /// An input does not exist, or may not be read (`EX_NOINPUT`).
  case missingInput = 66
  /// A fault of the program (`EX_SOFTWARE`).
  case software = 70
  /// The system denies memory or another resource (`EX_OSERR`).
  case systemFailure = 71
  /// An output cannot be created (`EX_CANTCREAT`).
  case cannotCreate = 73
  /// Reading or writing failed half-way (`EX_IOERR`).
  case inputOutput = 74
}
