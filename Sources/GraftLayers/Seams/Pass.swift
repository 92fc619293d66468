import GraftTensors

/// The context of one forward pass: training mode, random stream, sequence state. It is handed down and never stored.
public struct Pass {
  /// True in training, where dropout is on.
  public var isTraining: Bool
  /// The random stream of dropout: one a micro-batch, split by site.
  public var random: RandomStream
  /// The state of the sequences whose earlier tokens have been read; nil where they begin with this pass and nothing is kept.
  public var state: SequenceState?
  /// Label smoothing and the weights of classes.
  public var crossEntropy = CrossEntropyOptions()

  /// The collector of what layers leave beside their states; nil where nobody reads it, as in inference.
  public var auxiliary: AuxiliaryOutputs?

  /// The rows of each sequence, which may begin with virtual tokens; empty outside a stack.
  public internal(set) var sequences: [Range<Int>] = []

  /// The number of layers that every stack runs, where measuring a part of a model is all that is wanted; nil for all.
  public var layerLimit: Int?

  /// The tensors that earlier layers of the same stack share with later ones; every stack makes its own.
  public internal(set) var shared = SharedTensors()
  /// The tokens that are read; every stack keeps its own.
  var read = ReadTokens()

  /// - Parameters:
  ///   - random: the random stream of dropout.
  ///   - state: the state of the sequences so far; nil where they begin here.
  public init(
    isTraining: Bool = false, random: RandomStream = RandomStream(seed: 0), state: SequenceState? = nil
  ) {
    (self.isTraining, self.random, self.state) = (isTraining, random, state)
  }

  /// A pass without dropout and without earlier tokens.
  public static var inference: Pass { Pass() }

  /// The same for an encoder, whose input is always whole.
  public var withoutState: Pass {
    var pass = self
    pass.state = nil
    return pass
  }

  /// The random stream of dropped attention weights at a path; nil outside training.
  public func dropping(at path: String) -> RandomStream? { isTraining ? random.split(path).split("probabilities") : nil }

  /// Dropout at a named place; nothing outside training.
  public func dropout(_ x: Tensor, _ probability: Float, at place: String) -> Tensor {
    isTraining && probability > 0 ? GraftTensors.dropout(x, probability: probability, random.split(place)) : x
  }
}
