import GraftErrors

/// Why a text is not acceptable JSON, and where.
public struct JSONError: UserError, Equatable {
  /// What is wrong, without the position.
  public let message: String
  /// The line, from 1.
  public let line: Int
  /// The column in Unicode scalars, from 1.
  public let column: Int

  public init(message: String, line: Int, column: Int) {
    self.message = message
    self.line = line
    self.column = column
  }

  public var description: String { "line \(line), column \(column): \(message)" }

  public var status: ErrorStatus { .malformedInput }
}
