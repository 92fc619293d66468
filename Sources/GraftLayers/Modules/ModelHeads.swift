import GraftTensors

/// The masked-language-modelling head of encoders: `decoder(norm(activation(dense x)))` (Devlin et al. 2019, section 3.1).
public struct MaskedLanguageModelHead {
  let dense: Linear
  let activation: Nonlinearity
  let norm: Norm
  /// The layer of the vocabulary.
  public let decoder: LanguageModelHead

  /// - Parameters:
  ///   - dense: `[hidden, hidden]`.
  ///   - norm: of the activated states.
  ///   - decoder: `[vocabulary, hidden]`.
  public init(dense: Linear, activation: Nonlinearity, norm: Norm, decoder: Linear) {
    self.dense = dense
    self.activation = activation
    self.norm = norm
    self.decoder = LanguageModelHead(decoder)
  }

  /// Returns what `decoder` reads, `[rows, hidden]`.
  public func transformed(_ x: Tensor, _ pass: Pass) -> Tensor { norm(activation(dense(x, pass))) }
}

/// The classification head over hidden states: perhaps a dense layer with its activation, then the output layer, dropout before each.
public struct ClassificationHead {
  let dense: Linear?, activation: Activation, output: Linear
  let inputDropout: Float, dropout: Float

  /// - Parameters:
  ///   - dense: `[width, hidden]`; nil for none.
  ///   - output: `[labels, width]`.
  ///   - inputDropout: the probability with which an element of the hidden states is dropped.
  ///   - dropout: the probability with which an element before the output layer is dropped.
  public init(dense: Linear? = nil, activation: Activation = .identity, output: Linear, inputDropout: Float = 0, dropout: Float = 0) {
    (self.dense, self.activation, self.output) = (dense, activation, output)
    (self.inputDropout, self.dropout) = (inputDropout, dropout)
  }

  /// The number of labels.
  public var labelCount: Int { output.outputSize }

  /// - Parameter x: `[rows, hidden]`.
  /// - Returns: `[rows, labels]`.
  public func callAsFunction(_ x: Tensor, _ pass: Pass) -> Tensor {
    var x = x
    if let dense { x = activate(dense(pass.dropout(x, inputDropout, at: dense.path), pass), activation) }
    return output(pass.dropout(x, dropout, at: output.path), pass)
  }
}
