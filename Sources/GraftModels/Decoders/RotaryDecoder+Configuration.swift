import GraftLayers
import GraftTensors

extension RotaryDecoder {
  /// The sizes and options of a model, by the keys that Llama and most of its relatives have.
  public struct Configuration: TransformerConfiguration {
    public var dimensions: TransformerDimensions
    /// The columns of the feed-forward's middle.
    public var intermediateSize: Int
    /// The heads of keys and values, and the columns of every head.
    public var keyValueHeads: Int, headSize: Int
    /// The number that norms add to the mean of squares, and the standard deviation of initial weights.
    public var epsilon: Float, initializerRange: Float
    /// The activation of the feed-forward.
    public var activation: NonlinearityName
    /// The rotary positions; a layer has one of them.
    public var rotary: [RotaryFrequencies]
    /// True where the head has the embedding's matrix.
    public var tiesHead: Bool
    /// True where the projections of queries, keys and values, that of attention's output, and the feed-forward's layers have biases.
    public var hasInputBias: Bool, hasOutputBias: Bool, hasFeedForwardBias: Bool
    /// The window of each layer; nil for a layer that sees everything.
    public var windows: [Int?]
    /// The factor of the scores; one over the root of a head's size where nil.
    public var scoreScale: Float?
    /// The largest magnitude of a score; nil for none.
    public var scoreSoftcap: Float?
    /// The factor of what the head reads.
    public var headScale: Float = 1
    /// The largest magnitude of a logit; nil for none.
    public var logitSoftcap: Float?
    /// The factor of what sublayers add.
    public var residualMultiplier: Float = 1
    /// The token whose vector is not trained.
    public var padding: Int?
    /// The factor of the embeddings.
    public var embeddingScale: Float = 1
    /// The number that norms add to their weights.
    public var normOffset: Float = 0
    /// The probabilities with which elements of scores, of sublayers' outputs and of embeddings are dropped in training.
    public var scoreDropout: Float, residualDropout: Float = 0, embeddingDropout: Float = 0

    /// - Parameters:
    ///   - config: resolved for its family.
    ///   - headSizeKey: the key of the columns of a head that rotary positions are for.
    ///   - activationKey: the key of the activation.
    ///   - isPartial: true for a family that rotates the share of a head which `partial_rotary_factor` names.
    ///   - rotary: the rotary positions of heads of a size, where a family has several.
    /// - Throws: `ArchitectureError` for a value that is out of range, and for values that contradict each other.
    public init(
      _ config: ArchitectureConfiguration, headSizeKey: String = "head_dim", activationKey: String = "hidden_act", isPartial: Bool = false,
      rotary: ((_ headSize: Int) throws(ArchitectureError) -> [RotaryFrequencies])? = nil
    ) throws(ArchitectureError) {
      dimensions = try TransformerDimensions(config)
      intermediateSize = try config.count("intermediate_size")
      keyValueHeads = try config.count("num_key_value_heads", default: dimensions.heads)
      guard dimensions.heads % keyValueHeads == 0 else {
        throw config.fail("num_key_value_heads", "\(keyValueHeads) does not divide num_attention_heads \(dimensions.heads)")
      }
      headSize = try config.count(headSizeKey, default: dimensions.hiddenSize / dimensions.heads)
      epsilon = try config.float("rms_norm_eps")
      initializerRange = try config.deviation("initializer_range")
      activation = try config.activation(activationKey)
      if let rotary {
        self.rotary = try rotary(headSize)
      } else {
        self.rotary = [try config.rotaryFrequencies(headSize: headSize, isPartial: isPartial)]
      }
      tiesHead = try config.bool("tie_word_embeddings")
      padding = try config.optionalInt("pad_token_id")
      hasInputBias = try config.bool("attention_bias", default: false)
      hasOutputBias = hasInputBias
      scoreDropout = try config.probability("attention_dropout")
      hasFeedForwardBias = try config.bool("mlp_bias", default: false)
      windows = try config.windows(layers: dimensions.layers)
    }

    var initializer: Initializer { .normal(standardDeviation: initializerRange) }
  }
}
