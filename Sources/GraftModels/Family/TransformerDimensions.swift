import GraftCheckpoints

/// The sizes that every family's configuration has.
public struct TransformerDimensions: Sendable, Hashable {
  /// The number of tokens.
  public var vocabularySize: Int
  /// The width of hidden states.
  public var hiddenSize: Int
  /// Of an encoder-decoder the layers of the encoder.
  public var layers: Int
  /// Of an encoder-decoder the heads of the encoder.
  public var heads: Int

  /// - Throws: `ArchitectureError` for a size that is missing or out of range.
  public init(_ config: ArchitectureConfiguration, _ keys: DimensionKeys = .standard) throws(ArchitectureError) {
    vocabularySize = try config.count(keys.vocabularySize)
    hiddenSize = try config.count(keys.hiddenSize)
    layers = try config.listCount(keys.layers)
    heads = try config.count(keys.heads)
  }
}

/// The sizes and options of a model, which has the sizes that all have.
public protocol TransformerConfiguration {
  /// The sizes that every configuration has.
  var dimensions: TransformerDimensions { get }
}

extension TransformerConfiguration {
  /// The number of tokens.
  public var vocabularySize: Int { dimensions.vocabularySize }
  /// The width of hidden states.
  public var hiddenSize: Int { dimensions.hiddenSize }
  /// The number of blocks.
  public var layers: Int { dimensions.layers }
  /// The number of attention heads.
  public var heads: Int { dimensions.heads }
}
