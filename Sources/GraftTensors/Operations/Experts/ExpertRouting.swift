import CKernels

/// The experts that every token is sent to, and the order of rows in which those of one expert stand together.
///
/// No token is ever dropped: an expert takes as many rows as are sent to it.
public struct ExpertRouting {
  /// The number of experts.
  public let expertCount: Int
  /// The number of tokens.
  public let tokenCount: Int
  /// The number of experts that every token is sent to.
  public let choiceCount: Int
  /// `[tokens * choices]`: the expert of every choice, token by token.
  public let experts: [Int32]
  /// The rows of expert `e` are `offsets[e] ..< offsets[e + 1]`.
  public let offsets: [Int]
  /// `[tokens * choices]`: the row of every choice.
  let places: Tensor
  /// `[tokens * choices]`: the token of every row.
  let tokens: Tensor

  /// - Parameters:
  ///   - experts: `choices` experts a token, one token after another.
  /// - Precondition: every expert is below `expertCount`, and no token chooses one twice.
  public init(_ experts: [Int32], choices: Int, of expertCount: Int) {
    precondition(experts.allSatisfy { (0..<Int32(expertCount)).contains($0) }, "an expert outside 0..<\(expertCount)")
    precondition(choices > 0 && experts.count % choices == 0, "\(experts.count) choices, \(choices) a token")
    self.experts = experts
    self.expertCount = expertCount
    choiceCount = choices
    tokenCount = experts.count / choices
    var offsets = [Int](repeating: 0, count: expertCount + 1)
    for expert in experts { offsets[Int(expert) + 1] += 1 }
    for expert in 0..<expertCount { offsets[expert + 1] += offsets[expert] }
    var next = offsets
    var places = [Int32](repeating: 0, count: experts.count)
    var tokens = [Int32](repeating: 0, count: experts.count)
    for (choice, expert) in experts.enumerated() {
      let row = next[Int(expert)]
      next[Int(expert)] += 1
      places[choice] = Int32(row)
      tokens[row] = Int32(choice / choices)
    }
    self.offsets = offsets
    self.places = Tensor(places)
    self.tokens = Tensor(tokens)
  }

  /// The rows that an expert is sent.
  public func rows(of expert: Int) -> Range<Int> { offsets[expert]..<offsets[expert + 1] }

  /// The number of rows that every expert is sent.
  public var loads: [Int] { (0..<expertCount).map { rows(of: $0).count } }
}

/// Every token's row once for each of its experts, the rows of one expert together.
///
/// - Parameter x: `[tokens, columns]`; its gradient is the sum over a token's rows.
/// - Returns: `[tokens * choices, columns]`.
public func dispatchRows(_ x: Tensor, _ routing: ExpertRouting) -> Tensor {
  precondition(x.shape.rows == routing.tokenCount, "\(x.shape) routed as \(routing.tokenCount) tokens")
  let columns = x.shape.columns
  let count = routing.tokenCount * routing.choiceCount
  let out = Tensor(uninitialized: [count, columns])
  let o = out.mutablePointer
  let from = x.pointer
  let tokens = routing.tokens.indices
  parallel(over: count, grain: rowGrain(columns: columns)) { part in
    graft_gather_rows(o + part.lowerBound * columns, from, tokens + part.lowerBound, part.count, columns)
  }
  let input = x.slot
  return recorded("dispatchRows", out, from: input) { gradient, tape in
    tape.accumulate(into: input) { dx, isFirst in
      combine(gradient, nil, routing, into: dx, adding: !isFirst)
    }
  }
}

/// The weighted sum of the rows that the experts made of every token.
///
/// - Parameters:
///   - y: `[tokens * choices, columns]`, in the order of `dispatchRows`.
///   - weights: `[tokens, choices]`.
///   - base: `[tokens, columns]`, added to the sum; its memory is used for the result where nobody else holds it.
/// - Returns: `[tokens, columns]`.
public func combineRows(_ y: Tensor, weights: Tensor, _ routing: ExpertRouting, addingTo base: consuming Tensor? = nil) -> Tensor {
  let columns = y.shape.columns
  let shape: Shape = [routing.tokenCount, columns]
  precondition(y.shape.rows == routing.tokenCount * routing.choiceCount, "\(y.shape) for \(routing.tokenCount) tokens")
  precondition(weights.elementCount == y.shape.rows, "weights \(weights.shape) for rows \(y.shape)")
  precondition(base.map { $0.shape == shape } ?? true, "base \(base?.shape as Any) for result \(shape)")
  let baseInput = base?.slot
  let adds = base != nil
  var out = (base.take() ?? Tensor(uninitialized: shape)).detached
  out.makeUnique()
  combine(y, weights, routing, into: out.mutablePointer, adding: adds)
  let (rows, factors) = (y.slot, weights.slot)
  let (savedRows, savedWeights) = (weights.isTracked ? Saved(y) : nil, Saved(weights, exactly: true))
  return recorded("combineRows", out, from: rows, factors, baseInput) { gradient, tape in
    if let baseInput { tape.accumulate(gradient, into: baseInput) }
    let dy = tape.tracks(rows) ? Tensor(uninitialized: rows.shape) : nil
    let (y, weights) = (savedRows?.tensor, savedWeights.tensor)
    let dWeights = y != nil && tape.tracks(factors) ? Tensor(uninitialized: factors.shape) : nil
    let dout = gradient.pointer
    let places = routing.places.indices
    let count = routing.choiceCount
    parallel(over: routing.tokenCount, grain: rowGrain(columns: columns * count)) { part in
      let start = part.lowerBound * count
      graft_combine_rows_gradient(
        dy?.mutablePointer, dWeights.map { $0.mutablePointer + start }, dout + part.lowerBound * columns, y?.pointer,
        weights.pointer + start, places + start, count, part.count, columns)
    }
    if let dy { tape.accumulate(dy, into: rows) }
    if let dWeights { tape.accumulate(dWeights, into: factors) }
  }
}

/// `out = Σ weights y`, added to what is there where `adding`.
private func combine(_ y: Tensor, _ weights: Tensor?, _ routing: ExpertRouting, into out: UnsafeMutablePointer<Float>, adding: Bool) {
  let columns = y.shape.columns
  let count = routing.choiceCount
  let from = y.pointer
  let factors = weights?.pointer
  let places = routing.places.indices
  parallel(over: routing.tokenCount, grain: rowGrain(columns: columns * count)) { part in
    let start = part.lowerBound * count
    graft_combine_rows(
      out + part.lowerBound * columns, from, factors.map { $0 + start }, places + start, adding ? 1 : 0, count, part.count, columns)
  }
}

/// Four tokens to two of five experts, of which one gets none.
private var exampleRouting: ExpertRouting { ExpertRouting([4, 0, 1, 4, 0, 3, 0, 4], choices: 2, of: 5) }

let expertRoutingSpecimens: [OperationSpecimen] = [
  OperationSpecimen("dispatchRows", .init("x", [4, 3])) { dispatchRows($0[0], exampleRouting) },
  OperationSpecimen("combineRows", .init("y", [8, 3]), .init("weights", [4, 2]), .init("base", [4, 3])) {
    combineRows($0[0], weights: $0[1], exampleRouting, addingTo: $0[2])
  },
  OperationSpecimen("combineRows, alone", .init("y", [8, 3]), .init("weights", [4, 2])) { combineRows($0[0], weights: $0[1], exampleRouting) },
]
