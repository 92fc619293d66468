import GraftTensors

/// The head of a language model: the layer from hidden states to the logits of its vocabulary, with what scales and caps them.
///
/// Logits, losses, log-probabilities and predictions are all made here, with the layer's adapter where it has one.
public struct LanguageModelHead {
  /// The layer, `[vocabulary, hidden]`, perhaps the embedding's own matrix.
  public let linear: Linear
  /// The factor of the hidden states (T5), which is one of the logits where the layer has no bias (Cohere, Granite).
  public let scale: Float
  /// The largest magnitude of a logit, `softcap * tanh(logit / softcap)`; nil for none (Gemma 2).
  public let softcap: Float?

  /// - Parameters:
  ///   - linear: `[vocabulary, hidden]`.
  ///   - scale: the factor of the hidden states.
  ///   - softcap: the largest magnitude of a logit; nil for none.
  public init(_ linear: Linear, scale: Float = 1, softcap: Float? = nil) {
    self.linear = linear
    self.scale = scale
    self.softcap = softcap
  }

  /// - Parameter hidden: `[rows, hidden]`.
  /// - Returns: `[rows, vocabulary]`.
  public func logits(_ hidden: Tensor, _ pass: Pass) -> Tensor {
    let logits = linear(scaled(hidden), pass)
    return softcap.map { GraftTensors.softcap(logits, $0) } ?? logits
  }

  /// The summed negative log-likelihood of targets, times `scale`.
  /// - Parameters:
  ///   - hidden: `[targets.count, hidden]`.
  ///   - weights: the factor of each target's loss; nil counts all of them once.
  /// - Returns: a scalar.
  public func loss(_ hidden: Tensor, targets: [Int32], weights: [Float]? = nil, _ pass: Pass, scale: Float) -> Tensor {
    let targets = Tensor(targets)
    let weights = weights.map { Tensor($0) }
    guard let projection else {
      return crossEntropy(logits(hidden, pass), targets: targets, weights: weights, options: pass.crossEntropy, scale: scale)
    }
    return linearCrossEntropy(scaled(hidden), projection, targets: targets, weights: weights, options: pass.crossEntropy, scale: scale)
  }

  /// The logarithms of the probabilities of targets, each tracked, as losses of preferences and of distillation need them.
  /// - Parameters:
  ///   - hidden: `[rows, hidden]`.
  ///   - targets: `[rows]` token ids, or `[rows, count]` for several in each row.
  /// - Returns: as `targets` is shaped.
  public func logProbabilities(_ hidden: Tensor, targets: Tensor, _ pass: Pass) -> Tensor {
    guard let projection else { return targetLogProbabilities(logits(hidden, pass), targets: targets) }
    return linearTargetLogProbabilities(scaled(hidden), projection, targets: targets)
  }

  /// Returns the prediction of each row's target, without a gradient.
  /// - Parameters:
  ///   - hidden: `[rows, hidden]`.
  ///   - targets: one a row.
  public func predictions(_ hidden: Tensor, targets: [Int32]) -> [TargetPrediction] {
    guard let projection else { return targetPredictions(logits: logits(hidden, .inference), targets: targets) }
    return targetPredictions(scaled(hidden), projection, targets: targets)
  }

  /// The layer as losses read it in chunks; nil where an adapter changes what it computes.
  private var projection: LogitProjection? {
    linear.adapter == nil ? LogitProjection(linear.weight.matrix, bias: linear.bias?.operand, softcap: softcap) : nil
  }

  private func scaled(_ hidden: Tensor) -> Tensor { scale == 1 ? hidden : scale * hidden }
}
