import GraftLayers
import GraftTensors

/// Long short-term memories over one sequence in both directions; names, shapes and initial values are those of torch's `LSTM`.
///
/// Hochreiter and Schmidhuber 1997, with the forget gate of Gers et al. 2000, equations 2 to 7.
struct BidirectionalLSTM {
  private let path: String
  private let layers: [(forward: LSTMDirection, backward: LSTMDirection)]
  /// The probability with which an element of what a layer hands to the next is dropped in training.
  private let dropout: Float

  /// - Parameters:
  ///   - inputs: the width of what the first layer reads.
  ///   - hidden: the width of what each direction of each layer remembers.
  init(_ scope: Scope, in inputs: Int, hidden: Int, layers: Int, dropout: Float) throws {
    (path, self.dropout) = (scope.path, dropout)
    self.layers = try (0..<layers).map { layer in
      let width = layer == 0 ? inputs : 2 * hidden
      return (
        try LSTMDirection(scope, suffix: "l\(layer)", in: width, hidden: hidden, isReversed: false),
        try LSTMDirection(scope, suffix: "l\(layer)_reverse", in: width, hidden: hidden, isReversed: true)
      )
    }
  }

  /// - Parameter x: `[steps, inputs]`.
  /// - Returns: `[steps, 2 * hidden]`, forwards before backwards.
  func callAsFunction(_ x: Tensor, _ pass: Pass) -> Tensor {
    layers.enumerated().reduce(x) { x, entry in
      let input = entry.offset == 0 ? x : pass.dropout(x, dropout, at: "\(path).l\(entry.offset)")
      return concatenateRows([entry.element.forward(input).transposed, entry.element.backward(input).transposed]).transposed
    }
  }
}

/// One direction of one layer.
private struct LSTMDirection {
  /// `[4 * hidden, inputs]` and `[4 * hidden, hidden]`, with biases: those of the gates to write, to keep, for the candidate,
  /// and to read.
  private let inputWeight: Parameter, hiddenWeight: Parameter, inputBias: Parameter, hiddenBias: Parameter
  private let isReversed: Bool

  init(_ scope: Scope, suffix: String, in inputs: Int, hidden: Int, isReversed: Bool) throws {
    let initial = Initializer.uniform(bound: 1 / Float(hidden).squareRoot())
    inputWeight = try scope.parameter("weight_ih_\(suffix)", [4 * hidden, inputs], initial)
    hiddenWeight = try scope.parameter("weight_hh_\(suffix)", [4 * hidden, hidden], initial)
    inputBias = try scope.parameter("bias_ih_\(suffix)", [4 * hidden], initial)
    hiddenBias = try scope.parameter("bias_hh_\(suffix)", [4 * hidden], initial)
    self.isReversed = isReversed
  }

  /// - Parameter x: `[steps, inputs]`.
  /// - Returns: `[steps, hidden]`.
  func callAsFunction(_ x: Tensor) -> Tensor {
    let size = hiddenWeight.shape[1]
    let steps = 0..<x.shape[0]
    let inputs = linear(x, inputWeight.operand, bias: inputBias.operand)
    var hidden = Tensor.zeros([1, size])
    var cell = hidden
    var outputs: [Tensor] = []
    for step in isReversed ? Array(steps.reversed()) : Array(steps) {
      let gates = inputs.rows(step..<step + 1) + linear(hidden, hiddenWeight.operand, bias: hiddenBias.operand)
      func gate(_ index: Int, _ activation: Activation) -> Tensor { activate(gates.columns(index * size..<(index + 1) * size), activation) }
      let write = gate(0, .sigmoid)
      let keep = gate(1, .sigmoid)
      let candidate = gate(2, .tanh)
      let read = gate(3, .sigmoid)
      cell = keep * cell + write * candidate
      hidden = read * activate(cell, .tanh)
      outputs.append(hidden)
    }
    return concatenateRows(isReversed ? outputs.reversed() : outputs)
  }
}
