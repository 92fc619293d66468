import GraftTensors

/// What one forward pass is told, handed down and never stored.
public struct Pass {
  /// Whether dropout is on.
  public var isTraining: Bool
  /// Where dropout draws from: one stream a micro-batch, split by site.
  public var random: RandomStream
  /// Keys and values of earlier tokens.
  public var cache: KeyValueCache?
  /// Whether blocks are computed again on the way back instead of kept.
  public var isCheckpointing: Bool
  /// Label smoothing and the weights of classes.
  public var crossEntropy = CrossEntropyOptions()

  public init(
    isTraining: Bool = false, random: RandomStream = RandomStream(seed: 0), cache: KeyValueCache? = nil, isCheckpointing: Bool = false
  ) {
    (self.isTraining, self.random, self.cache, self.isCheckpointing) = (isTraining, random, cache, isCheckpointing)
  }

  public static var inference: Pass { Pass() }

  /// The same for an encoder, whose input is always whole.
  public var withoutCache: Pass {
    var pass = self
    pass.cache = nil
    return pass
  }

  /// The random stream of dropped attention weights at a path; nil outside training.
  public func dropping(at path: String) -> RandomStream? { isTraining ? random.split(path).split("probabilities") : nil }

  /// Dropout at a named place; nothing outside training.
  public func dropout(_ x: Tensor, _ probability: Float, at place: String) -> Tensor {
    isTraining && probability > 0 ? GraftTensors.dropout(x, probability: probability, random.split(place)) : x
  }
}
