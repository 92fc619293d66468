extension Tokenizer {
  /// The tokens of a text or a pair of texts.
  public struct Encoding: Sendable, Equatable {
    /// The tokens' ids.
    public var ids: [Int32]
    /// The tokens' texts.
    public var tokens: [String]
    /// The segment id of each token: 0 or 1, for the sequence of a pair that it belongs to.
    public var typeIDs: [Int32]
    /// True for the tokens that the post-processor added.
    public var specialTokensMask: [Bool]
    /// The text of a pair that each token is of, 0 or 1; nil for one that the post-processor added.
    public var sequences: [Int?]

    /// An encoding of its parts, each with one entry a token.
    public init(ids: [Int32], tokens: [String], typeIDs: [Int32], specialTokensMask: [Bool], sequences: [Int?]) {
      self.ids = ids
      self.tokens = tokens
      self.typeIDs = typeIDs
      self.specialTokensMask = specialTokensMask
      self.sequences = sequences
    }
  }

  /// The token ids of a text.
  ///
  /// - Parameter addingSpecialTokens: true where the post-processor adds its tokens, such as `[CLS]` and `[SEP]`.
  public func encode(_ text: String, addingSpecialTokens: Bool = true) -> [Int32] {
    let ids = sequenceIDs(of: text)
    guard let postProcessor else { return ids }
    let runs = postProcessor.process([TokenRun(ids, type: 0)], addingSpecialTokens: addingSpecialTokens)
    return runs.count == 1 ? runs[0].ids : Array(runs.map(\.ids).joined())
  }

  /// The tokens of a text, or of a pair of texts, with everything that is known about them.
  public func encoding(of text: String, pair: String? = nil, addingSpecialTokens: Bool = true) -> Encoding {
    let all = run(of: text, pair: pair, addingSpecialTokens: addingSpecialTokens)
    return Encoding(
      ids: all.ids, tokens: all.ids.map { token(for: $0) ?? "" }, typeIDs: all.typeIDs,
      specialTokensMask: all.isSpecial, sequences: all.sequences)
  }

  /// The tokens of a text or a pair of texts, with their types and which of the texts each is of.
  package func run(of text: String, pair: String? = nil, addingSpecialTokens: Bool = true) -> TokenRun {
    var runs = [TokenRun(sequenceIDs(of: text), type: 0, sequence: 0)]
    if let pair { runs.append(TokenRun(sequenceIDs(of: pair), type: 1, sequence: 1)) }
    if let postProcessor { runs = postProcessor.process(runs, addingSpecialTokens: addingSpecialTokens) }
    guard runs.count != 1 else { return runs[0] }
    var all = TokenRun([], type: 0)
    for run in runs { all.append(run) }
    return all
  }

  /// The ids of one sequence, before post-processing.
  private func sequenceIDs(of text: String) -> [Int32] {
    let pieces = pieces(of: text)
    let workspace = workspaces.withLock { $0.popLast() } ?? ModelWorkspace()
    defer { workspaces.withLock { $0.append(workspace) } }
    var ids: [Int32] = []
    ids.reserveCapacity(pieces.pieces.count * 2)
    pieces.bytes.withUnsafeBufferPointer { bytes in
      for piece in pieces.pieces {
        if piece.token >= 0 {
          ids.append(piece.token)
        } else {
          let part = UnsafeBufferPointer(rebasing: bytes[piece.start..<piece.end])
          model.appendCachedTokens(of: part, to: &ids, using: workspace)
        }
      }
    }
    return ids
  }

  /// The text after normalization and splitting.
  private func pieces(of text: String) -> PieceText {
    var pieces = PieceText(Array(text.utf8))
    addedTokens.split(&pieces, normalized: false)
    if let normalizer { normalize(&pieces, with: normalizer) }
    addedTokens.split(&pieces, normalized: true)
    preTokenizer?.split(&pieces)
    return pieces
  }

  private func normalize(_ text: inout PieceText, with normalizer: any Normalizer) {
    var output: [UInt8] = []
    output.reserveCapacity(text.bytes.count)
    var result: [PieceText.Piece] = []
    for var piece in text.pieces {
      let start = output.count
      if piece.token >= 0 {
        output.append(contentsOf: text.bytes[piece.start..<piece.end])
      } else {
        var normalized = NormalizedText(Array(text.bytes[piece.start..<piece.end]))
        normalizer.normalize(&normalized)
        output.append(contentsOf: normalized.bytes)
        piece.isFirst = piece.isFirst && normalized.keepsStart
      }
      (piece.start, piece.end) = (start, output.count)
      if !output[start...].isEmpty { result.append(piece) }
    }
    text.bytes = output
    text.pieces = result
  }
}
