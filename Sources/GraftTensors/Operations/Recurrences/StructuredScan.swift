import CKernels

/// The tensors of a structured scan: of every head as many channels as fade together, and of every group of heads one input and one output.
public struct StructuredScanInputs {
  /// `[rows, heads * headSize]`.
  public var x: Tensor
  /// `[rows, heads]`: the sizes of steps, before their bias and softplus.
  public var delta: Tensor
  /// `[heads]`.
  public var stepBias: Tensor
  /// `[heads]`: the logarithms of the rates at which states fade, `A_log`.
  public var rates: Tensor
  /// `[rows, groups * size]`: what of an input goes into the states, and what of the states comes out.
  public var input: Tensor, output: Tensor
  /// `[heads]`: the share of an input that goes past the states.
  public var skip: Tensor
  /// The number of groups that the heads are in.
  public var groups: Int
  /// The bounds of the sizes of steps.
  public var steps: ClosedRange<Float>

  /// The inputs, with the shapes that their properties have.
  public init(
    _ x: Tensor, delta: Tensor, stepBias: Tensor, rates: Tensor, input: Tensor, output: Tensor, skip: Tensor, groups: Int,
    steps: ClosedRange<Float> = 0...(.infinity)
  ) {
    (self.x, self.delta, self.stepBias, self.rates) = (x, delta, stepBias, rates)
    (self.input, self.output, self.skip, self.groups, self.steps) = (input, output, skip, groups, steps)
  }

  /// Every tensor that a gradient goes to.
  var tensors: [Tensor] { [x, delta, stepBias, rates, input, output, skip] }

  /// - Parameter tensors: in the order of the property.
  init(_ tensors: [Tensor], groups: Int, steps: ClosedRange<Float>) {
    self.init(
      tensors[0], delta: tensors[1], stepBias: tensors[2], rates: tensors[3], input: tensors[4], output: tensors[5], skip: tensors[6],
      groups: groups, steps: steps)
  }
}

/// The scan of Mamba-2 (Dao and Gu 2024, "Transformers are SSMs"): of every head, row after row of a sequence,
/// `S = exp(Δ A) S + Δ B ⊗ x` and `y = C S + D x`, with `Δ = softplus(delta + stepBias)`, `A = -exp(rates)` and `S [size, headSize]`.
///
/// Rows are computed a block at a time, as products (section 6, the SSD algorithm): rows of a block see each other through
/// `C Bᵀ` under a mask of decays, and all before it through the state. Few rows, as in generation, are computed one after another.
/// - Parameter state: `[sequences, heads * size * headSize]`, `S` before the first row of each sequence; zero where nil.
/// - Returns: `[rows, heads * headSize]`, and the state behind the last row where one was given, which no gradient leaves.
public func structuredScan(_ inputs: StructuredScanInputs, _ rows: SequenceRows, from state: Tensor? = nil) -> (output: Tensor, state: Tensor?) {
  let scan = StructuredScan(inputs, rows)
  let all = inputs.tensors + (state.map { [$0] } ?? [])
  precondition(state?.elementCount ?? rows.spans.count * scan.stateSize == rows.spans.count * scan.stateSize, "a state \(state?.shape as Any)")
  let next = state.map { concatenateRows([$0.detached]) } ?? .zeros([rows.spans.count, scan.stateSize])
  let isTracked = all.contains(where: \.isTracked)
  // The form depends on lengths alone: a forward pass is the same to the bit recorded and not, kept and computed again.
  let out = scan.isLong ? scan.forward(inputs, state: next) : scan.forwardRows(inputs, state: next)
  guard isTracked else { return (out, state == nil ? nil : next) }
  // Decays are exponents of what steps are made of.
  let saved = all.enumerated().map { Saved($1, exactly: $0 == 1) }
  let (groups, steps) = (inputs.groups, inputs.steps)
  let result = recorded("structuredScan", out, from: all.map(\.slot)) { gradient, tape in
    let all = saved.map(\.tensor)
    scan.accumulateGradients(gradient, StructuredScanInputs(all, groups: groups, steps: steps), from: all.count > 7 ? all[7] : nil, on: tape)
  }
  return (result, state == nil ? nil : next)
}

/// The inputs of a specimen: two groups of two heads.
private func scan(_ inputs: [Tensor], _ spans: [Range<Int>], steps: ClosedRange<Float> = 0...(.infinity)) -> Tensor {
  structuredScan(
    StructuredScanInputs(inputs, groups: 2, steps: steps), SequenceRows(spans, of: inputs[0].shape.rows), from: inputs.count > 7 ? inputs[7] : nil
  ).output
}

let structuredScanSpecimens: [OperationSpecimen] = [
  OperationSpecimen(
    "structuredScan", .init("x", [9, 12]), .init("delta", [9, 4], in: -2..<2), .init("stepBias", [4]), .init("rates", [4]),
    .init("input", [9, 6]), .init("output", [9, 6]), .init("skip", [4]), .init("state", [2, 36])
  ) { scan($0, [0..<3, 4..<9], steps: 0.53...1.38) },
  // More rows than a block has.
  OperationSpecimen(
    "structuredScan, blocks", .init("x", [80, 4]), .init("delta", [80, 4], in: -4..<(-1)), .init("stepBias", [4]), .init("rates", [4]),
    .init("input", [80, 4]), .init("output", [80, 4]), .init("skip", [4]), .init("state", [2, 8])
  ) { scan($0, [0..<70, 70..<80]) },
]
