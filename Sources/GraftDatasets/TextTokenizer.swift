/// Token ids of a text or a pair of texts, with their segment ids.
public struct TokenizedText: Sendable, Equatable {
  /// Token ids.
  public var ids: [Int32]
  /// Segment ids, one for each token.
  public var typeIDs: [Int32]
  /// The text that each token is of, 0 or 1; nil for one that the tokenizer added.
  public var sequences: [Int?]

  /// - Parameters:
  ///   - typeIDs: one for each token; nil for zeros.
  ///   - sequences: the text that each token is of; nil for the first.
  public init(ids: [Int32], typeIDs: [Int32]? = nil, sequences: [Int?]? = nil) {
    self.ids = ids
    self.typeIDs = typeIDs ?? Array(repeating: 0, count: ids.count)
    self.sequences = sequences ?? Array(repeating: 0, count: ids.count)
  }
}

extension TokenizedText {
  /// At most `length` tokens: the ends of the texts are left out, of the longer one first, and what the tokenizer added stays.
  ///
  /// - Parameter losesBeginnings: true where beginnings are left out instead.
  func cut(to length: Int?, losesBeginnings: Bool = false) -> TokenizedText {
    guard let length, ids.count > length else { return self }
    let counts = [0, 1].map { text in sequences.count { $0 == text } }
    let room = max(0, length - (ids.count - counts[0] - counts[1]))
    let wanted = Self.longestFirst(counts[0], counts[1], room: room)
    var seen = [0, 0]
    let kept = ids.indices.filter { index in
      guard let text = sequences[index] else { return true }
      seen[text] += 1
      return losesBeginnings ? seen[text] > counts[text] - wanted[text] : seen[text] <= wanted[text]
    }.prefix(length)
    return TokenizedText(ids: kept.map { ids[$0] }, typeIDs: kept.map { typeIDs[$0] }, sequences: kept.map { sequences[$0] })
  }

  /// Returns the number of tokens of each of two texts that stay within `room`, as the tokenizers library's `longest_first` has it: of two that
  /// are too long both keep half, and the odd token is that of the longer one, or of the second where they are equal.
  static func longestFirst(_ first: Int, _ second: Int, room: Int) -> [Int] {
    guard second > 0 else { return [min(first, room), 0] }
    guard first + second > room else { return [first, second] }
    var short = min(first, second)
    var long = max(short, room - short)
    if short + long > room {
      short = room / 2
      long = room - short
    }
    return first > second ? [long, short] : [short, long]
  }
}

/// A tokenizer as the encoding of examples needs it.
public protocol TextTokenizer: Sendable {
  /// The tokens of `text`, or of a pair of texts, with or without those that the tokenizer adds around them.
  func tokenize(_ text: String, pair: String?, addingSpecialTokens: Bool) -> TokenizedText
  /// The text of the token that ends a sequence, written behind every text to learn; nil where there is none.
  var endOfSequenceText: String? { get }
  /// The text of the token that starts a sequence; nil where there is none.
  var beginningOfSequenceText: String? { get }
  /// The id of the mask; nil where there is none.
  var maskID: Int32? { get }
  /// True where a text that is too long loses its beginning instead of its end.
  var truncatesLeft: Bool { get }
  /// Returns true for a token that is no text, such as those that end sequences.
  func isSpecial(_ id: Int32) -> Bool
  /// The id of a token as the vocabulary writes it; nil where there is none.
  func id(for token: String) -> Int32?
  /// A token as the vocabulary writes it; nil where there is none of this id.
  func text(of id: Int32) -> String?
  /// Ids are below this.
  var vocabularySize: Int { get }
}

extension TextTokenizer {
  public var truncatesLeft: Bool { false }

  /// At most `length` of a text's tokens.
  func cut(_ text: TokenizedText, to length: Int?) -> TokenizedText { text.cut(to: length, losesBeginnings: truncatesLeft) }

  func ids(_ text: String, special: Bool = true) -> [Int32] {
    tokenize(text, pair: nil, addingSpecialTokens: special).ids
  }
}
