/// The keys of a `config.json` under which a family has the sizes of its models.
public struct DimensionKeys: Sendable, Hashable {
  /// The key of the number of tokens.
  public var vocabularySize: String
  /// The key of the width of hidden states.
  public var hiddenSize: String
  /// Of an encoder-decoder the layers of the encoder.
  public var layers: String
  /// Of an encoder-decoder the heads of the encoder.
  public var heads: String

  /// The keys that most families of Transformers have, and that it maps those of the others to.
  public static let standard = DimensionKeys()

  /// Transformers' keys, unless others are given.
  public init(
    vocabularySize: String = "vocab_size", hiddenSize: String = "hidden_size", layers: String = "num_hidden_layers",
    heads: String = "num_attention_heads"
  ) {
    self.vocabularySize = vocabularySize
    self.hiddenSize = hiddenSize
    self.layers = layers
    self.heads = heads
  }
}
