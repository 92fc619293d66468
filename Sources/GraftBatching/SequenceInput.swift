/// The consecutive rows of one document among the rows of several: attention never leaves them.
public struct SequenceSpan: Sendable, Hashable {
  /// The index of the first row.
  public var start: Int
  /// The number of rows.
  public var count: Int

  /// - Parameters:
  ///   - start: the index of the first row.
  ///   - count: the number of rows.
  public init(start: Int, count: Int) {
    self.start = start
    self.count = count
  }

  /// The rows, `start ..< start + count`.
  public var range: Range<Int> { start..<start + count }
}

/// The tokens of a forward pass: several documents laid end to end, without padding.
public struct SequenceInput: Sendable, Equatable {
  /// Token ids, one a row.
  public var tokens: [Int32]
  /// The position of each row within its document, from 0 on, or from where a cached document goes on.
  public var positions: [Int32]
  /// One a document.
  public var spans: [SequenceSpan]
  /// Segment ids, one a row, of models with two-segment inputs.
  public var typeIDs: [Int32]?
  /// The number of leading tokens of each document that see each other in both directions, for prefix language models.
  public var promptLengths: [Int]?

  /// - Parameters:
  ///   - tokens: token ids, one a row.
  ///   - positions: one a row.
  ///   - spans: one a document.
  public init(tokens: [Int32], positions: [Int32], spans: [SequenceSpan], typeIDs: [Int32]? = nil, promptLengths: [Int]? = nil) {
    self.tokens = tokens
    self.positions = positions
    self.spans = spans
    self.typeIDs = typeIDs
    self.promptLengths = promptLengths
  }

  /// Documents end to end.
  /// - Parameter starts: the position of each one's first token; 0 where nil.
  public init(_ documents: [[Int32]], startingAt starts: [Int]? = nil) {
    self.init(tokens: documents.flatMap { $0 }, positions: [], spans: [])
    for (index, document) in documents.enumerated() {
      let start = starts?[index] ?? 0
      spans.append(SequenceSpan(start: positions.count, count: document.count))
      positions += document.indices.map { Int32(start + $0) }
    }
  }
}
