import GraftBatching
import GraftDatasets
import GraftTokenizers

/// An example as text, with the part that is trained marked.
public struct RenderedExample: Sendable, Equatable {
  /// A run of tokens that all carry loss, or none of which does.
  public struct Part: Sendable, Equatable {
    /// The text of the tokens, special ones as the vocabulary writes them.
    public var text: String
    /// True where the tokens carry loss.
    public var isTrained: Bool

    /// - Parameter isTrained: true where the tokens carry loss.
    public init(_ text: String, isTrained: Bool) { (self.text, self.isTrained) = (text, isTrained) }
  }

  /// The place of the record.
  public var place: DataFinding.Place
  /// The text that an encoder reads; nil for a task without sources.
  public var source: String?
  /// The text that the model reads or learns to write, in order.
  public var parts: [Part]
  /// The class of the example; nil where it has none.
  public var label: String?
  /// The number of tokens, those of the source counted as well.
  public var tokenCount: Int

  /// - Parameter tokenizer: the tokenizer that made the example.
  init(_ shown: DataReview.ShownExample, _ tokenizer: Tokenizer) {
    let example = shown.example
    (place, label) = (shown.place, shown.label)
    source = example.source.map { tokenizer.decode($0, skippingSpecialTokens: false) }
    tokenCount = example.tokens.count + (example.source?.count ?? 0)
    parts = []
    var written: [UInt8] = []
    for (index, isTrained) in example.isScored.enumerated() where index + 1 == example.tokens.count || example.isScored[index + 1] != isTrained {
      // A run alone would lose the space before it, or the other half of a letter.
      let text = Array(tokenizer.decode(example.tokens.prefix(index + 1), skippingSpecialTokens: false).utf8)
      let start = zip(text, written).prefix { $0 == $1 }.count
      parts.append(Part(String(decoding: text[start...], as: UTF8.self), isTrained: isTrained))
      written = text
    }
  }
}
