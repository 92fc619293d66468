import CKernels
import Foundation

/// The rows of one document: attention never crosses from one span to another.
///
/// Queries are the last rows of their keys: query `i` stands at key `keys.count - queries.count + i`, which is how cached
/// keys and prefixes come before the queries.
public struct AttentionSpan: Sendable, Hashable {
  /// Rows of the query tensor.
  public var queries: Range<Int>
  /// Rows of the key and value tensors.
  public var keys: KeyRows

  /// - Parameters:
  ///   - queries: the rows of the queries.
  ///   - keys: the rows of the keys, those of the queries last.
  public init(queries: Range<Int>, keys: KeyRows) {
    self.queries = queries
    self.keys = keys
  }

  /// - Parameters:
  ///   - queries: the rows of the queries.
  ///   - keys: the rows of the keys, in one run.
  public init(queries: Range<Int>, keys: Range<Int>) { self.init(queries: queries, keys: KeyRows(keys)) }

  /// The span of a document whose queries and keys are the same rows.
  public init(_ rows: Range<Int>) { self.init(queries: rows, keys: rows) }
}

/// Scaled dot-product attention (Vaswani et al. 2017, eq. 1).
///
/// A block of rows of scores exists at a time, never `[queries, keys]`; the gradient computes the scores again from the
/// logarithms of their sums (Dao et al. 2022). Heads are strides inside the operation: nothing is permuted.
///
/// - Parameters:
///   - query: `[query rows, heads * headSize]`.
///   - key: `[key rows, keyValueHeads * headSize]`.
///   - value: `[key rows, keyValueHeads * valueSize]`.
///   - options: heads, sizes, and what becomes of the scores.
///   - spans: rows outside every span, such as padding, get zeros and give no gradient.
///   - bias: added to the scaled and capped scores.
///   - sinks: `[heads]`, a score of each head that takes its share of every row's weights and has no value
///     (Xiao et al. 2024, "Efficient Streaming Language Models with Attention Sinks", section 3.3; gpt-oss).
///   - dropping: the random stream that dropout of the weights draws from, again for the gradient; nil for no dropout.
/// - Returns: `[query rows, heads * valueSize]`.
public func attention(
  query: Tensor, key: Tensor, value: Tensor, _ options: AttentionOptions, spans: [AttentionSpan], mask: AttentionMask, bias: DistanceBias? = nil,
  sinks: Tensor? = nil, dropping: RandomStream? = nil
) -> Tensor {
  let problem = AttentionProblem(query, key, value, options, spans, mask, bias, sinks, dropping)
  let out = problem.rowsOfQueries(options.contextWidth)
  let logSumExps = Tensor(uninitialized: [options.heads, query.shape[0]])
  problem.forward(out, logSumExps)
  let (savedQuery, savedKey, savedValue) = (Saved(query), Saved(key), Saved(value))
  let (savedBias, savedSinks) = (bias.map { Saved($0.values) }, sinks.map { Saved($0) })
  let (savedOut, savedSums) = (Saved(out), Saved(logSumExps, exactly: true))
  return recorded("attention", out, from: query.slot, key.slot, value.slot, bias?.values.slot, sinks?.slot) { gradient, tape in
    let problem = AttentionProblem(
      savedQuery.tensor, savedKey.tensor, savedValue.tensor, options, spans, mask, savedBias.map { DistanceBias($0.tensor) }, savedSinks?.tensor,
      dropping)
    problem.backward(gradient, savedOut.tensor, savedSums.tensor, tape)
  }
}

/// One attention's operands, with its two passes.
private struct AttentionProblem {
  let query: Tensor, key: Tensor, value: Tensor
  let options: AttentionOptions
  let heads: Int, keyValueHeads: Int, headSize: Int, valueSize: Int
  let spans: [AttentionSpan]
  let mask: AttentionMask
  let scale: Float
  let bias: DistanceBias?
  let sinks: Tensor?
  let dropping: RandomStream?
  /// The format that the operands of products are rounded to; the threads of a pool know no execution.
  let rounding = Execution.current.arithmetic.operandFormat

  /// Rows of scores computed together: enough for an efficient product, few enough that a causal mask saves work.
  static let blockRows = 32

  init(
    _ query: Tensor, _ key: Tensor, _ value: Tensor, _ options: AttentionOptions, _ spans: [AttentionSpan], _ mask: AttentionMask,
    _ bias: DistanceBias?, _ sinks: Tensor?, _ dropping: RandomStream?
  ) {
    precondition(query.shape.columns == options.queryWidth, "queries \(query.shape) for \(options)")
    precondition(key.shape.columns == options.keyWidth, "keys \(key.shape) for \(options)")
    precondition(value.shape.columns == options.valueWidth, "values \(value.shape) for \(options)")
    precondition(key.shape[0] == value.shape[0], "key \(key.shape), value \(value.shape)")
    precondition(sinks?.elementCount ?? options.heads == options.heads, "sinks \(sinks?.shape ?? []) for \(options.heads) heads")
    (self.query, self.key, self.value, self.options) = (query, key, value, options)
    (heads, keyValueHeads, headSize, valueSize) = (options.heads, options.keyValueHeads, options.headSize, options.valueSize)
    (self.spans, self.mask, self.bias, self.sinks) = (spans, mask, bias, sinks)
    scale = options.scale
    self.dropping = options.dropout > 0 ? dropping : nil
  }

  var group: Int { heads / keyValueHeads }

  /// Some consecutive queries of a span and the keys that any of them sees, and those beside them that a product cannot leave out.
  struct Block {
    let span: Int, queries: Range<Int>, firstPlace: Int, keys: Range<Int>
    /// The keys that every query sees, counted from the block's first key.
    let visible: [Range<Int>]
  }

  func blocks(of span: Int) -> [Block] {
    let rows = spans[span].queries
    let keyRows = spans[span].keys
    let lead = keyRows.count - rows.count
    return stride(from: 0, to: rows.count, by: Self.blockRows).map { start in
      let end = min(rows.count, start + Self.blockRows)
      // Cross-attention has no places in common with its keys; its mask sees all of them.
      let seen = (start..<end).map { mask.visibleKeys(at: lead + $0, of: keyRows.count, span: span, window: options.window) }
      let last = seen.last?.upperBound ?? 0
      let first = min(last, seen.first?.lowerBound ?? 0)
      let step = PackedMatrix.columnStep
      let firstKey = first / step * step
      return Block(
        span: span, queries: rows.lowerBound + start..<rows.lowerBound + end, firstPlace: lead + start,
        keys: firstKey..<min(keyRows.count, (last + step - 1) / step * step),
        visible: seen.map { $0.lowerBound - firstKey..<$0.upperBound - firstKey })
    }
  }

  /// The part of the keys or values in a span that a query head reads, `[keys, size]` or transposed, ready for products with many blocks.
  func packed(_ x: Tensor, span: Int, head: Int, transposed: Bool) -> PackedMatrix {
    let width = x.shape.columns
    let size = width / keyValueHeads
    let rows = spans[span].keys
    let first = x.pointer + head / group * size
    let gathered = rows.isContiguous ? nil : rows.gathered(from: first, stride: width, columns: size)
    let operand = MatrixOperand(
      gathered?.pointer ?? first + rows.first.lowerBound * width, stride: gathered == nil ? width : size, transposed: transposed,
      rounding: rounding)
    var matrix = PackedMatrix(
      operand, terms: transposed ? size : rows.count, columns: transposed ? rows.count : size, forRows: spans[span].queries.count,
      keeping: gathered?.storage)
    matrix.pack()
    return matrix
  }

  /// Writes `query keyᵀ` of a block and head, `[queries, keys]`, capped, with the bias added, all before they are scaled.
  ///
  /// - Parameters:
  ///   - keys: packed; nil where a single query reads them in their place, unrounded.
  ///   - slopes: memory for the derivatives of the cap, if they are wanted.
  func scores(_ block: Block, head: Int, _ keys: PackedMatrix?, into out: UnsafeMutablePointer<Float>, slopes: UnsafeMutablePointer<Float>? = nil) {
    let rows = block.queries.count
    let count = block.keys.count
    let queries = MatrixOperand(query.pointer + block.queries.lowerBound * heads * headSize + head * headSize, stride: heads * headSize)
    if let keys {
      multiplySerially(rows, count, headSize, 1, queries, keys, firstColumn: block.keys.lowerBound, 0, out, count)
    } else {
      spans[block.span].keys.multiply(queries, head: head / group, of: keyValueHeads, key, block.keys, into: out)
    }
    if let softcap = options.softcap { graft_softcap(out, slopes, softcap / scale, rows * count) }
    guard let bias else { return }
    let line = bias.values.pointer + head * bias.values.shape.columns + bias.maximumDistance + block.keys.lowerBound
    for row in 0..<rows { graft_accumulate_scaled(out + row * count, line - (block.firstPlace + row), 1 / scale, count) }
  }

  /// Sets to 0 what dropout takes of a block's rows, whose masks are a function of head, query and key.
  func drop(_ rows: UnsafeMutablePointer<Float>, _ block: Block, head: Int) {
    guard let dropping else { return }
    let count = block.keys.count
    for row in 0..<block.queries.count {
      let stream = dropping.split(head * query.shape[0] + block.queries.lowerBound + row)
      graft_dropout(rows + row * count, rows + row * count, 1 - options.dropout, stream.key, UInt64(block.keys.lowerBound), count)
    }
  }

  /// A row for every query, to be written span by span, with zeros where some are outside of them.
  func rowsOfQueries(_ columns: Int) -> Tensor {
    let shape: Shape = [query.shape[0], columns]
    return spans.reduce(0) { $0 + $1.queries.count } < shape[0] ? Tensor.zeros(shape) : Tensor(uninitialized: shape)
  }

  func forward(_ out: Tensor, _ logSumExps: Tensor) {
    let o = out.mutablePointer
    let l = logSumExps.mutablePointer
    let rowCount = query.shape[0]
    let blocksOfSpans = spans.indices.map(blocks(of:))
    // Where the heads are few beside the threads, several tasks share a head's blocks.
    let pairs = max(1, spans.count * heads)
    let parts = (8 * Threads.count + pairs - 1) / pairs
    parallel(spans.count * heads * parts) { task in
      let span = task / parts / heads
      let head = task / parts % heads
      let blocks = blocksOfSpans[span]
      guard task % parts < blocks.count else { return }
      let isSingle = spans[span].queries.count == 1 && rounding == nil
      let keys = isSingle ? nil : packed(key, span: span, head: head, transposed: true)
      let values = isSingle ? nil : packed(value, span: span, head: head, transposed: false)
      let widest = blocks.map(\.keys.count).max() ?? 0
      let scratch = Tensor(uninitialized: [min(Self.blockRows, spans[span].queries.count), max(1, widest)])
      let s = scratch.mutablePointer
      for block in stride(from: task % parts, to: blocks.count, by: parts).lazy.map({ blocks[$0] }) {
        let rows = block.queries.count
        let count = block.keys.count
        scores(block, head: head, keys, into: s)
        let sink = sinks.map { $0.pointer[head] } ?? -.infinity
        for (row, seen) in block.visible.enumerated() {
          graft_softmax_row(
            s + row * count, l + head * rowCount + block.queries.lowerBound + row, scale, sink, seen.lowerBound, seen.upperBound, count)
        }
        drop(s, block, head: head)
        let context = o + block.queries.lowerBound * heads * valueSize + head * valueSize
        if let values {
          multiplySerially(
            rows, valueSize, count, 1, MatrixOperand(s, stride: count), values, firstTerm: block.keys.lowerBound, 0, context, heads * valueSize)
        } else {
          spans[span].keys.sum(s, head: head / group, of: keyValueHeads, value, block.keys, into: context)
        }
      }
    }
  }

  func backward(_ gradient: Tensor, _ out: Tensor, _ logSumExps: Tensor, _ tape: Tape) {
    let places = KeyGradientPlaces(spans, rows: key.shape[0])
    let wantsKeys = tape.tracks(key)
    let wantsValues = tape.tracks(value)
    let dQuery = rowsOfQueries(heads * headSize)
    // Every query head adds to keys and values of its own, so that heads run side by side; groups are summed after.
    let dKey = Tensor.zeros([wantsKeys ? places.rowCount : 0, heads * headSize])
    let dValue = Tensor.zeros([wantsValues ? places.rowCount : 0, heads * valueSize])
    let wantsBias = bias.map { tape.tracks($0.values) } ?? false
    let biasColumns = wantsBias ? bias?.values.shape.columns ?? 0 : 0
    let dBias = Tensor.zeros([spans.count, heads, biasColumns])
    let dSinks = Tensor.zeros([spans.count, sinks == nil ? 0 : heads])

    let dq = dQuery.mutablePointer
    let dk = dKey.mutablePointer
    let dv = dValue.mutablePointer
    let db = dBias.mutablePointer
    let ds = dSinks.mutablePointer
    let blocksOfSpans = spans.indices.map(blocks(of:))
    parallel(spans.count * heads) { task in
      let span = task / heads
      let head = task % heads
      let keys = packed(key, span: span, head: head, transposed: false)
      let keysTransposed = packed(key, span: span, head: head, transposed: true)
      let valuesTransposed = packed(value, span: span, head: head, transposed: true)
      let widest = blocksOfSpans[span].map(\.keys.count).max() ?? 0
      let parts = 2 + (dropping == nil ? 0 : 1) + (options.softcap == nil ? 0 : 1)
      let scratch = Tensor(uninitialized: [parts, Self.blockRows, max(1, widest)])
      let p = scratch.mutablePointer
      let dp = p + Self.blockRows * widest
      let kept = dropping == nil ? p : dp + Self.blockRows * widest
      let slopes = options.softcap == nil ? nil : p + (parts - 1) * Self.blockRows * widest
      for block in blocksOfSpans[span] {
        let rows = block.queries.count
        let count = block.keys.count
        let firstKey = places.starts[span] + block.keys.lowerBound
        probabilities(block, head, keysTransposed, logSumExps, into: p, slopes: slopes)
        if dropping != nil {
          kept.update(from: p, count: rows * count)
          drop(kept, block, head: head)
        }
        let dOut = gradient.pointer + block.queries.lowerBound * heads * valueSize + head * valueSize
        let outs = out.pointer + block.queries.lowerBound * heads * valueSize + head * valueSize
        let dOutOperand = MatrixOperand(dOut, stride: heads * valueSize, rounding: rounding)
        if wantsValues {
          multiplySerially(
            count, valueSize, rows, 1, MatrixOperand(kept, stride: count, transposed: true), dOutOperand, 1,
            dv + firstKey * heads * valueSize + head * valueSize, heads * valueSize)
        }
        multiplySerially(
          rows, count, valueSize, 1, dOutOperand, valuesTransposed, firstColumn: block.keys.lowerBound, 0, dp, count)
        drop(dp, block, head: head)
        for row in 0..<rows {
          let delta = Float(graft_dot(dOut + row * heads * valueSize, outs + row * heads * valueSize, valueSize))
          graft_softmax_gradient_row(dp + row * count, p + row * count, delta, scale, count)
          if wantsBias, let bias {
            let line = db + task * biasColumns + bias.maximumDistance + block.keys.lowerBound - (block.firstPlace + row)
            graft_accumulate_scaled(line, dp + row * count, 1 / scale, count)
          }
          if let sinks {
            ds[task] -= exp(sinks.pointer[head] - logSumExps.pointer[head * query.shape[0] + block.queries.lowerBound + row]) * delta
          }
        }
        if let slopes { graft_multiply(dp, dp, slopes, rows * count) }
        multiplySerially(
          rows, headSize, count, 1, MatrixOperand(dp, stride: count), keys, firstTerm: block.keys.lowerBound, 0,
          dq + block.queries.lowerBound * heads * headSize + head * headSize, heads * headSize)
        if wantsKeys {
          multiplySerially(
            count, headSize, rows, 1, MatrixOperand(dp, stride: count, transposed: true),
            MatrixOperand(
              query.pointer + block.queries.lowerBound * heads * headSize + head * headSize, stride: heads * headSize, rounding: rounding), 1,
            dk + firstKey * heads * headSize + head * headSize, heads * headSize)
        }
      }
    }
    tape.accumulate(dQuery, into: query)
    if wantsKeys { places.accumulate(summedOverGroups(dKey, size: headSize), into: key, on: tape) }
    if wantsValues { places.accumulate(summedOverGroups(dValue, size: valueSize), into: value, on: tape) }
    if wantsBias, let bias {
      let width = heads * biasColumns
      tape.accumulateZeroed(into: bias.values) { total in
        for span in spans.indices { graft_accumulate(total, db + span * width, width) }
      }
    }
    if let sinks {
      tape.accumulateZeroed(into: sinks) { total in
        for span in spans.indices { graft_accumulate(total, ds + span * heads, heads) }
      }
    }
  }

  /// Recomputes a block's probabilities from its scores and the logarithms of their sums.
  private func probabilities(
    _ block: Block, _ head: Int, _ keys: PackedMatrix, _ logSumExps: Tensor, into p: UnsafeMutablePointer<Float>,
    slopes: UnsafeMutablePointer<Float>?
  ) {
    let count = block.keys.count
    let l = logSumExps.pointer + head * query.shape[0] + block.queries.lowerBound
    scores(block, head: head, keys, into: p, slopes: slopes)
    for (row, seen) in block.visible.enumerated() {
      graft_probabilities_row(p + row * count, l[row], scale, seen.lowerBound, seen.upperBound, count)
    }
  }

  /// `[rows, heads * size]` added up to `[rows, keyValueHeads * size]`.
  private func summedOverGroups(_ x: Tensor, size: Int) -> Tensor {
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
