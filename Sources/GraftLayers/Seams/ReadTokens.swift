import GraftBatching
import GraftTensors

/// The tokens that a model has read in a pass, for adapters whose effect depends on them.
///
/// Every stack has its own, since one pass may go through several.
final class ReadTokens {
  private var input: SequenceInput?
  private var known: [[Int32]: Tensor?] = [:]

  /// The same tokens for a stack, whatever is read next.
  var copy: ReadTokens {
    let copy = ReadTokens()
    copy.input = input
    return copy
  }

  func begin(_ input: SequenceInput) { (self.input, known) = (input, [:]) }

  /// Ones for the rows from the last occurrence of some tokens on, and zeros: `[rows]`; nil where no row is active.
  func rows(from invocation: [Int32], _ state: SequenceState?) -> Tensor? {
    if let known = known[invocation] { return known }
    guard let input else { return nil }
    var rows = [Float](repeating: 0, count: input.tokens.count)
    let history = state?.layer("tokens read by \(invocation)") { TokenHistory(sequences: input.spans.count) }
    for (index, span) in input.spans.enumerated() {
      let new = Array(input.tokens[span.range])
      let before = history?.tokens(of: index, count: state?.rowCounts[index] ?? 0) ?? []
      history?.keep(before + new, of: index)
      guard let start = (before + new).lastStart(of: invocation) else { continue }
      for row in max(0, start - before.count)..<new.count { rows[span.start + row] = 1 }
    }
    let result = rows.contains(1) ? Tensor(rows) : nil
    known[invocation] = .some(result)
    return result
  }
}

extension Pass {
  /// Ones for the rows from the last occurrence of some tokens of their sequence on, those of earlier passes included, and zeros for the
  /// rows before it and for sequences without one.
  /// - Returns: `[rows]`; nil where no row is active.
  public func rows(from invocation: [Int32]) -> Tensor? { read.rows(from: invocation, state) }
}

extension [Int32] {
  /// The place of the last occurrence of a list; nil where there is none.
  fileprivate func lastStart(of part: [Int32]) -> Int? {
    guard !part.isEmpty, count >= part.count else { return nil }
    return (0...count - part.count).last { self[$0..<$0 + part.count].elementsEqual(part) }
  }
}

/// The tokens of each sequence, which an adapter looks for its invocation in.
private final class TokenHistory: LayerState {
  private var tokens: [[Int32]]

  init(sequences: Int) { tokens = Array(repeating: [], count: sequences) }

  var byteCount: Int { tokens.reduce(0) { $0 + $1.count * MemoryLayout<Int32>.size } }

  func select(_ sequences: [Int]) { tokens = sequences.map { tokens[$0] } }

  func truncate(to counts: [Int]) -> Bool {
    tokens = zip(tokens, counts).map { Array($0.prefix($1)) }
    return true
  }

  /// The first tokens of a sequence; before what was not seen stand tokens that nothing matches.
  func tokens(of sequence: Int, count: Int) -> [Int32] {
    let seen = tokens[sequence].prefix(count)
    return Array(repeating: -1, count: count - seen.count) + seen
  }

  func keep(_ tokens: [Int32], of sequence: Int) { self.tokens[sequence] = tokens }
}
