import CKernels
import Foundation

/// The reverse pass (Dao 2023, "FlashAttention-2", algorithm 2): the pairs of queries' chunks and keys' blocks, a step of them at a time.
struct AttentionGradient {
  private let problem: AttentionProblem
  private let tape: Tape
  private let inputs: (query: Slot, key: Slot, value: Slot)
  /// The gradient of the result and the result, `[query rows, heads * valueSize]`.
  private let gradient: Tensor, out: Tensor
  /// The gradient of the result as products read it.
  private let operandGradient: Tensor
  /// `[heads, query rows]`.
  private let logSumExps: Tensor
  private let places: KeyGradientPlaces
  private let steps: [[GradientPair]]
  private let chunkCount: Int
  private let wantsKeys: Bool, wantsValues: Bool
  private let biasColumns: Int

  private let dQuery: Tensor
  /// Every query head adds to keys and values of its own, so that heads run side by side; groups are summed after.
  private let dKey: Tensor, dValue: Tensor
  /// Of each chunk of queries, `[chunks, heads, columns]` and `[chunks, heads]`.
  private let dBias: Tensor, dSinks: Tensor
  /// The products of each row's result and its gradient, `[heads, query rows]`.
  private let deltas: Tensor

  init(_ problem: AttentionProblem, _ gradient: Tensor, _ out: Tensor, _ logSumExps: Tensor, _ tape: Tape) {
    (self.gradient, self.out, self.logSumExps, self.tape) = (gradient, out, logSumExps, tape)
    self.problem = problem.roundedAhead()
    operandGradient = self.problem.shareRounding.map { gradient.rounded(to: $0) } ?? gradient
    inputs = (problem.query.slot, problem.key.slot, problem.value.slot)
    let heads = problem.heads
    places = KeyGradientPlaces(problem.spans, rows: problem.key.shape[0])
    (steps, chunkCount) = problem.gradientSteps()
    wantsKeys = tape.tracks(problem.key)
    wantsValues = tape.tracks(problem.value)
    biasColumns = problem.bias.map { tape.tracks($0.values) ? $0.values.shape.columns : 0 } ?? 0
    dQuery = problem.rowsOfQueries(heads * problem.headSize)
    dKey = Tensor.zeros([wantsKeys ? places.rowCount : 0, heads * problem.headSize])
    dValue = Tensor.zeros([wantsValues ? places.rowCount : 0, heads * problem.valueSize])
    dBias = Tensor.zeros([chunkCount, heads, biasColumns])
    dSinks = Tensor.zeros([chunkCount, problem.sinks == nil ? 0 : heads])
    deltas = Tensor(uninitialized: [heads, problem.query.shape[0]])
  }

  func run() {
    let heads = problem.heads
    for pairs in steps {
      parallel(pairs.count * heads) { task in add(pairs[task / heads], head: task % heads) }
    }
    tape.accumulate(dQuery, into: inputs.query)
    if wantsKeys { places.accumulate(summedOverGroups(dKey, size: problem.headSize), into: inputs.key, on: tape) }
    if wantsValues { places.accumulate(summedOverGroups(dValue, size: problem.valueSize), into: inputs.value, on: tape) }
    if biasColumns > 0, let bias = problem.bias { accumulateChunks(dBias, into: bias.values) }
    if let sinks = problem.sinks { accumulateChunks(dSinks, into: sinks) }
  }

  /// Adds a pair's part of a head's gradients.
  private func add(_ pair: GradientPair, head: Int) {
    if pair.isFirst { begin(pair, head) }
    guard !pair.keys.isEmpty else { return }
    let scratch = PairScratch(pair, head, problem)
    problem.forEachBlock(of: pair.chunk, keys: pair.keys) { add($0, pair, head, scratch) }
    scratch.finish(
      wantsKeys ? dKey.mutablePointer + offset(of: pair.keys.lowerBound, pair, head, problem.headSize) : nil,
      wantsValues ? dValue.mutablePointer + offset(of: pair.keys.lowerBound, pair, head, problem.valueSize) : nil, heads: problem.heads)
  }

  /// Clears the gradients of a chunk's queries and sums up their rows.
  private func begin(_ pair: GradientPair, _ head: Int) {
    let (heads, headSize, valueSize) = (problem.heads, problem.headSize, problem.valueSize)
    let firstRow = problem.spans[pair.chunk.span].queries.lowerBound
    for row in firstRow + pair.chunk.queries.lowerBound..<firstRow + pair.chunk.queries.upperBound {
      graft_fill(dQuery.mutablePointer + (row * heads + head) * headSize, 0, headSize)
      let at = (row * heads + head) * valueSize
      let place = head * problem.query.shape[0] + row
      let delta = Float(graft_dot(gradient.pointer + at, out.pointer + at, valueSize))
      deltas.mutablePointer[place] = delta
      if let sinks = problem.sinks {
        dSinks.mutablePointer[pair.chunkIndex * heads + head] -= exp(sinks.pointer[head] - logSumExps.pointer[place]) * delta
      }
    }
  }
}

// MARK: - A block of queries and keys

extension AttentionGradient {
  /// Adds a block's part, from its probabilities computed again.
  private func add(_ block: AttentionBlock, _ pair: GradientPair, _ head: Int, _ scratch: PairScratch) {
    let (heads, headSize, valueSize, rounding) = (problem.heads, problem.headSize, problem.valueSize, problem.rounding)
    let (rows, count, firstRow) = (block.queries.count, block.keys.count, block.queries.lowerBound)
    let from = block.keys.lowerBound - pair.keys.lowerBound
    let (p, dp) = (scratch.probabilities, scratch.gradients)
    computeProbabilities(block, head, scratch, from)
    let dOut = MatrixOperand(operandGradient.pointer + (firstRow * heads + head) * valueSize, stride: heads * valueSize, rounding: rounding)
    if wantsValues {
      let target = dValue.mutablePointer + offset(of: block.keys.lowerBound, pair, head, valueSize)
      scratch.values.add(scratch.kept, dOut, rows: rows, keys: from..<from + count, to: target, stride: heads * valueSize)
    }
    multiplySerially(rows, count, valueSize, 1, dOut, scratch.packedValues, firstColumn: from, 0, dp, count)
    problem.drop(dp, block, head: head)
    let delta = deltas.pointer + head * problem.query.shape[0] + firstRow
    for row in 0..<rows { graft_softmax_gradient_row(dp + row * count, p + row * count, delta[row], problem.scale, count) }
    if biasColumns > 0 { addBias(dp, block, pair, head) }
    if let slopes = scratch.slopes { graft_multiply(dp, dp, slopes, rows * count) }
    problem.roundShares(dp, block)
    let dQueries = dQuery.mutablePointer + (firstRow * heads + head) * headSize
    multiplySerially(rows, headSize, count, 1, MatrixOperand(dp, stride: count), scratch.packedKeys, firstTerm: from, 1, dQueries, heads * headSize)
    if wantsKeys {
      let target = dKey.mutablePointer + offset(of: block.keys.lowerBound, pair, head, headSize)
      scratch.keys.add(dp, problem.queries(from: firstRow, head: head), rows: rows, keys: from..<from + count, to: target, stride: heads * headSize)
    }
  }

  /// Computes a block's probabilities from its scores and the logarithms of their sums, and what goes on to the values of them.
  private func computeProbabilities(_ block: AttentionBlock, _ head: Int, _ scratch: PairScratch, _ from: Int) {
    let (rows, count, firstRow) = (block.queries.count, block.keys.count, block.queries.lowerBound)
    let p = scratch.probabilities
    let queries = problem.queries(from: firstRow, head: head)
    multiplySerially(rows, count, problem.headSize, 1, queries, scratch.packedKeysTransposed, firstColumn: from, 0, p, count)
    problem.capAndBias(p, block, head: head, slopes: scratch.slopes)
    let logSums = logSumExps.pointer + head * problem.query.shape[0] + firstRow
    for row in 0..<rows {
      let seen = block.visibleKeys(ofRow: row)
      graft_probabilities_row(p + row * count, logSums[row], problem.scale, seen.lowerBound, seen.upperBound, count)
    }
    guard scratch.kept != p else { return }
    scratch.kept.update(from: p, count: rows * count)
    problem.drop(scratch.kept, block, head: head)
    problem.roundShares(scratch.kept, block)
  }

  private func addBias(_ scores: UnsafePointer<Float>, _ block: AttentionBlock, _ pair: GradientPair, _ head: Int) {
    let count = block.keys.count
    let line = dBias.mutablePointer + (pair.chunkIndex * problem.heads + head) * biasColumns + biasColumns / 2 + block.keys.lowerBound
    for row in 0..<block.queries.count {
      graft_accumulate_scaled(line - (block.firstPlace + row), scores + row * count, 1 / problem.scale, count)
    }
  }

  /// The place of a head's gradient of a key, counted within the span.
  private func offset(of key: Int, _ pair: GradientPair, _ head: Int, _ size: Int) -> Int {
    ((places.starts[pair.chunk.span] + key) * problem.heads + head) * size
  }
}

// MARK: - Sums

extension AttentionGradient {
  /// Adds up the parts of all chunks of queries, `[chunks, ...]`.
  private func accumulateChunks(_ parts: Tensor, into input: Tensor) {
    let width = input.elementCount
    tape.accumulateZeroed(into: input) { total in
      for chunk in 0..<chunkCount { graft_accumulate(total, parts.pointer + chunk * width, width) }
    }
  }

  /// `[rows, heads * size]` added up to `[rows, keyValueHeads * size]`.
  private func summedOverGroups(_ x: Tensor, size: Int) -> Tensor {
    let (heads, keyValueHeads, group) = (problem.heads, problem.keyValueHeads, problem.group)
    guard group > 1 else { return x }
    let rows = x.shape[0]
    let out = Tensor(uninitialized: [rows, keyValueHeads * size])
    let o = out.mutablePointer
    let from = x.pointer
    parallel(over: rows, grain: rowGrain(columns: heads * size)) { part in
      for row in part {
        for head in 0..<keyValueHeads {
          let target = o + (row * keyValueHeads + head) * size
          let source = from + (row * heads + head * group) * size
          target.update(from: source, count: size)
          for member in 1..<group { graft_accumulate(target, source + member * size, size) }
        }
      }
    }
    return out
  }
}
