/// A text on its way to tokens: its UTF-8 and the pieces it has been split into so far.
struct PieceText {
  struct Piece {
    var start: Int
    var end: Int
    /// The added token this piece is, -1 for text that is still to be tokenized.
    var token: Int32 = -1
    /// True where nothing of the original text comes before it.
    var isFirst: Bool
  }

  var bytes: [UInt8]
  var pieces: [Piece]

  /// One piece, none when the text is empty.
  init(_ bytes: [UInt8]) {
    self.bytes = bytes
    pieces = bytes.isEmpty ? [] : [Piece(start: 0, end: bytes.count, isFirst: true)]
  }

  /// Splits every piece of text: `body` gets all bytes and one piece, and hands over ranges in order.
  /// Empty ranges are dropped.
  mutating func split(
    _ body: (UnsafeBufferPointer<UInt8>, Range<Int>, (Range<Int>) -> Void) -> Void
  ) {
    var result: [Piece] = []
    result.reserveCapacity(pieces.count * 2)
    bytes.withUnsafeBufferPointer { bytes in
      for piece in pieces {
        if piece.token >= 0 {
          result.append(piece)
          continue
        }
        body(bytes, piece.start..<piece.end) { range in
          guard !range.isEmpty else { return }
          let isFirst = piece.isFirst && range.lowerBound == piece.start
          result.append(Piece(start: range.lowerBound, end: range.upperBound, isFirst: isFirst))
        }
      }
    }
    pieces = result
  }

  /// Rewrites every piece of text: `body` appends what replaces it. Pieces that become empty are dropped.
  mutating func rewrite(_ body: (UnsafeBufferPointer<UInt8>, Piece, inout [UInt8]) -> Void) {
    var output: [UInt8] = []
    output.reserveCapacity(bytes.count + bytes.count / 2)
    var result: [Piece] = []
    result.reserveCapacity(pieces.count)
    bytes.withUnsafeBufferPointer { bytes in
      for piece in pieces {
        var rewritten = piece
        rewritten.start = output.count
        let text = UnsafeBufferPointer(rebasing: bytes[piece.start..<piece.end])
        if piece.token >= 0 { output.append(contentsOf: text) } else { body(text, piece, &output) }
        rewritten.end = output.count
        if rewritten.end > rewritten.start { result.append(rewritten) }
      }
    }
    bytes = output
    pieces = result
  }
}
