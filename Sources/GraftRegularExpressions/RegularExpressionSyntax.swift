/// The parts of a regular expression.
indirect enum RegularExpressionSyntax: Sendable {
  case empty
  case scalar(ScalarSet)
  case sequence([RegularExpressionSyntax])
  case alternatives([RegularExpressionSyntax])
  case repetition(RegularExpressionSyntax, minimum: Int, maximum: Int, RepetitionKind)
  case atomic(RegularExpressionSyntax)
  case lookAhead(RegularExpressionSyntax, negative: Bool)
  case lookBehind(RegularExpressionSyntax, negative: Bool)
  case assertion(Assertion)

  /// The rules that a pattern follows.
  enum Flavour: Sendable {
    case oniguruma, python
  }

  enum RepetitionKind: Sendable {
    case greedy, lazy, possessive
  }

  enum Assertion: Int32, Sendable {
    case textStart, textEnd, textEndOrLastNewline, lineStart, lineEnd, wordBoundary, noWordBoundary
  }

  /// A repetition without upper limit.
  static let unlimited = Int(Int32.max)

  /// True where it can match without consuming anything.
  var isNullable: Bool {
    switch self {
    case .scalar: false
    case .sequence(let parts): parts.allSatisfy(\.isNullable)
    case .alternatives(let parts): parts.contains(where: \.isNullable)
    case .repetition(let body, let minimum, _, _): minimum == 0 || body.isNullable
    case .atomic(let body): body.isNullable
    case .empty, .lookAhead, .lookBehind, .assertion: true
    }
  }

  /// The fewest scalars that it consumes.
  var minimumLength: Int {
    switch self {
    case .empty, .lookAhead, .lookBehind, .assertion: 0
    case .scalar: 1
    case .atomic(let body): body.minimumLength
    case .repetition(let body, let minimum, _, _): body.minimumLength.multipliedReportingOverflow(by: minimum).partialValue
    case .sequence(let parts): parts.reduce(0) { $0 &+ $1.minimumLength }
    case .alternatives(let parts): parts.map(\.minimumLength).min() ?? 0
    }
  }

  /// The number of scalars that it always consumes; nil where that varies.
  var length: Int? {
    switch self {
    case .empty, .lookAhead, .lookBehind, .assertion: return 0
    case .scalar: return 1
    case .atomic(let body): return body.length
    case .repetition(let body, let minimum, let maximum, _):
      return minimum == maximum ? body.length.map { $0 * minimum } : nil
    case .sequence(let parts):
      var sum = 0
      for part in parts {
        guard let length = part.length else { return nil }
        sum += length
      }
      return sum
    case .alternatives(let parts):
      guard let first = parts.first?.length, parts.allSatisfy({ $0.length == first }) else { return nil }
      return first
    }
  }
}

/// A regular expression that cannot be used.
package struct RegularExpressionError: Error, CustomStringConvertible {
  package let description: String
}
