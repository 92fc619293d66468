/// Token ids of a text, with their segment ids.
public struct TokenizedText: Sendable, Equatable {
  public var ids: [Int32]
  public var typeIDs: [Int32]

  public init(ids: [Int32], typeIDs: [Int32]? = nil) {
    self.ids = ids
    self.typeIDs = typeIDs ?? Array(repeating: 0, count: ids.count)
  }
}

/// What encoding examples needs of a tokenizer.
public protocol TextTokenizer: Sendable {
  /// The tokens of `text`, or of a pair of texts, with or without those that the tokenizer adds around them.
  func tokenize(_ text: String, pair: String?, addingSpecialTokens: Bool) -> TokenizedText
  /// The text of the token that ends a sequence, written behind every text to learn; nil where there is none.
  var endOfSequenceText: String? { get }
  var maskID: Int32? { get }
  func isSpecial(_ id: Int32) -> Bool
  /// The id of a token as the vocabulary writes it; nil where there is none.
  func id(for token: String) -> Int32?
  /// Ids are below this.
  var vocabularySize: Int { get }
}

extension TextTokenizer {
  func ids(_ text: String, special: Bool = true) -> [Int32] {
    tokenize(text, pair: nil, addingSpecialTokens: special).ids
  }
}

/// A conversation as the text that a chat template makes of it.
public struct RenderedChat: Sendable, Equatable {
  public var text: String
  /// The assistant's own words as ranges of UTF-8 bytes of `text`, where the template marks them.
  public var assistantRanges: [Range<Int>]?

  public init(text: String, assistantRanges: [Range<Int>]? = nil) {
    self.text = text
    self.assistantRanges = assistantRanges
  }
}
