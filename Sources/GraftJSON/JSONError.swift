import GraftErrors

/// A mistake in a text that is to be JSON, with its place.
public struct JSONError: UserError, Equatable {
  /// The mistake, without its position.
  public let message: String
  /// The line, from 1.
  public let line: Int
  /// The column in Unicode scalars, from 1.
  public let column: Int

  /// - Parameters:
  ///   - line: counted from 1.
  ///   - column: counted from 1, in Unicode scalars.
  public init(message: String, line: Int, column: Int) {
    self.message = message
    self.line = line
    self.column = column
  }

  public var description: String { "line \(line), column \(column): \(message)" }

  public var status: ErrorStatus { .malformedInput }
}
