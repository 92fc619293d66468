import CKernels

/// The rows of one document: attention never crosses from one span to another.
///
/// Queries are the last rows of their keys: query `i` stands at key `keys.count - queries.count + i`, which is how cached
/// keys and prefixes come before the queries.
public struct AttentionSpan: Sendable, Hashable {
  /// Rows of the query tensor.
  public var queries: Range<Int>
  /// Rows of the key and value tensors.
  public var keys: KeyRows

  public init(queries: Range<Int>, keys: KeyRows) {
    self.queries = queries
    self.keys = keys
  }

  public init(queries: Range<Int>, keys: Range<Int>) { self.init(queries: queries, keys: KeyRows(keys)) }

  public init(_ rows: Range<Int>) { self.init(queries: rows, keys: rows) }
}

/// Which keys a query sees within its span.
public struct AttentionMask: Sendable, Hashable {
  public enum Kind: Sendable, Hashable {
    /// Those up to its own place.
    case causal
    /// All, as encoders and cross-attention do.
    case bidirectional
    /// Those up to its own place and, in span `i`, the first `lengths[i]` (Raffel et al. 2020, figure 4).
    case prefix(lengths: [Int])
  }

  public var kind: Kind
  /// Only keys less than this many places back, where set (Beltagy et al. 2020; Mistral's sliding window).
  public var window: Int?

  public init(_ kind: Kind, window: Int? = nil) {
    self.kind = kind
    self.window = window
  }

  public static let causal = AttentionMask(.causal)
  public static let bidirectional = AttentionMask(.bidirectional)

  /// The keys, counted within the span, that the query at `place` sees out of `count`.
  func visibleKeys(at place: Int, of count: Int, span: Int) -> Range<Int> {
    let last =
      switch kind {
      case .causal: min(count, place + 1)
      case .bidirectional: count
      case .prefix(let lengths): min(count, max(place + 1, lengths[span]))
      }
    let first = window.map { min(last, max(0, place - $0 + 1)) } ?? 0
    return first..<last
  }
}

/// Scores added by the distance from query to key, shared by all rows of a head: T5's relative positions.
public struct DistanceBias {
  /// `[heads, 2 * reach + 1]`: column `reach + key place - query place`.
  public let values: Tensor

  public init(_ values: Tensor) { self.values = values }

  var reach: Int { values.shape.columns / 2 }
}

/// Which probabilities are set to 0 in training, and the others scaled up for it.
public struct AttentionDropout {
  public let probability: Float
  public let stream: RandomStream

  public init(probability: Float, _ stream: RandomStream) { (self.probability, self.stream) = (probability, stream) }
}

/// Scaled dot-product attention of `heads` query heads over `keyValueHeads` key and value heads
/// (Vaswani et al. 2017, eq. 1; grouped queries: Ainslie et al. 2023).
///
/// A block of rows of scores exists at a time, never `[queries, keys]`; the gradient computes the scores again from the
/// logarithms of their sums (Dao et al. 2022). Heads are strides inside the operation: nothing is permuted.
///
/// - Parameters:
///   - query: `[query rows, heads * headSize]`.
///   - key: `[key rows, keyValueHeads * headSize]`.
///   - value: `[key rows, keyValueHeads * valueSize]`.
///   - spans: rows outside every span, such as padding, get zeros and give no gradient.
///   - scale: what scores are multiplied by, positive; one over the root of the head's size where nil.
///   - bias: added to the scaled scores.
///   - dropout: of the probabilities; the masks are drawn again for the gradient.
/// - Returns: `[query rows, heads * valueSize]`.
public func attention(
  query: Tensor, key: Tensor, value: Tensor, heads: Int, keyValueHeads: Int, spans: [AttentionSpan], mask: AttentionMask, scale: Float? = nil,
  bias: DistanceBias? = nil, dropout: AttentionDropout? = nil
) -> Tensor {
  let problem = AttentionProblem(
    query: query, key: key, value: value, heads: heads, keyValueHeads: keyValueHeads, spans: spans, mask: mask, scale: scale, bias: bias,
    dropout: dropout)
  let out = problem.rowsOfQueries(heads * problem.valueSize)
  let logSums = Tensor(uninitialized: [heads, query.shape[0]])
  problem.forward(out, logSums)
  return recorded("attention", out, from: query.slot, key.slot, value.slot, bias?.values.slot) { gradient, tape in
    problem.backward(gradient, out, logSums, tape)
  }
}

/// One attention's operands and sizes, with its two passes.
private struct AttentionProblem {
  let query: Tensor, key: Tensor, value: Tensor
  let heads: Int, keyValueHeads: Int, headSize: Int, valueSize: Int
  let spans: [AttentionSpan]
  let mask: AttentionMask
  let scale: Float
  let bias: DistanceBias?
  let dropout: AttentionDropout?

  /// Rows of scores computed together: enough for an efficient product, few enough that a causal mask saves work.
  static let blockRows = 32

  init(
    query: Tensor, key: Tensor, value: Tensor, heads: Int, keyValueHeads: Int, spans: [AttentionSpan], mask: AttentionMask, scale: Float?,
    bias: DistanceBias?, dropout: AttentionDropout?
  ) {
    headSize = query.shape.columns / heads
    valueSize = value.shape.columns / keyValueHeads
    precondition(heads % keyValueHeads == 0, "\(heads) heads do not share \(keyValueHeads) key and value heads")
    precondition(key.shape.columns == keyValueHeads * headSize, "key \(key.shape) for heads of \(headSize)")
    precondition(key.shape[0] == value.shape[0], "key \(key.shape), value \(value.shape)")
    (self.query, self.key, self.value, self.heads, self.keyValueHeads) = (query, key, value, heads, keyValueHeads)
    (self.spans, self.mask, self.bias, self.dropout) = (spans, mask, bias, dropout)
    self.scale = scale ?? 1 / Float(headSize).squareRoot()
    precondition(self.scale > 0, "scores scaled by \(self.scale)")
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
      let seen = (start..<end).map { mask.visibleKeys(at: lead + $0, of: keyRows.count, span: span) }
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

  /// What a query head reads of the keys or values in a span, `[keys, size]` or transposed, ready for products with many blocks.
  func packed(_ x: Tensor, span: Int, head: Int, transposed: Bool) -> PackedMatrix {
    let width = x.shape.columns
    let size = width / keyValueHeads
    let rows = spans[span].keys
    let first = x.pointer + head / group * size
    let gathered = rows.isContiguous ? nil : rows.gathered(from: first, stride: width, columns: size)
    let operand = MatrixOperand(
      gathered?.pointer ?? first + rows.first.lowerBound * width, stride: gathered == nil ? width : size, transposed: transposed)
    var matrix = PackedMatrix(
      operand, terms: transposed ? size : rows.count, columns: transposed ? rows.count : size, forRows: spans[span].queries.count,
      keeping: gathered?.storage)
    matrix.pack()
    return matrix
  }

  /// Writes `query keyᵀ` of a block and head, `[queries, keys]`, with the bias added.
  func scores(_ block: Block, head: Int, _ keys: PackedMatrix, into out: UnsafeMutablePointer<Float>) {
    let rows = block.queries.count
    let count = block.keys.count
    multiplySerially(
      rows, count, headSize, 1,
      MatrixOperand(query.pointer + block.queries.lowerBound * heads * headSize + head * headSize, stride: heads * headSize),
      keys, firstColumn: block.keys.lowerBound, 0, out, count)
    guard let bias else { return }
    let line = bias.values.pointer + head * bias.values.shape.columns + bias.reach + block.keys.lowerBound
    for row in 0..<rows { graft_accumulate_scaled(out + row * count, line - (block.firstPlace + row), 1 / scale, count) }
  }

  /// Sets to 0 what dropout takes of a block's rows, whose masks are a function of head, query and key.
  func drop(_ rows: UnsafeMutablePointer<Float>, _ block: Block, head: Int) {
    guard let dropout else { return }
    let count = block.keys.count
    for row in 0..<block.queries.count {
      let stream = dropout.stream.split(head * query.shape[0] + block.queries.lowerBound + row)
      graft_dropout(rows + row * count, rows + row * count, 1 - dropout.probability, stream.key, UInt64(block.keys.lowerBound), count)
    }
  }

  /// A row for every query, to be written span by span, with zeros where some are outside of them.
  func rowsOfQueries(_ columns: Int) -> Tensor {
    let shape: Shape = [query.shape[0], columns]
    return spans.reduce(0) { $0 + $1.queries.count } < shape[0] ? Tensor.zeros(shape) : Tensor(uninitialized: shape)
  }

  func forward(_ out: Tensor, _ logSums: Tensor) {
    let o = out.mutablePointer
    let l = logSums.mutablePointer
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
      let keys = packed(key, span: span, head: head, transposed: true)
      let values = packed(value, span: span, head: head, transposed: false)
      let widest = blocks.map(\.keys.count).max() ?? 0
      let scratch = Tensor(uninitialized: [min(Self.blockRows, spans[span].queries.count), max(1, widest)])
      let s = scratch.mutablePointer
      for block in stride(from: task % parts, to: blocks.count, by: parts).lazy.map({ blocks[$0] }) {
        let rows = block.queries.count
        let count = block.keys.count
        scores(block, head: head, keys, into: s)
        for (row, seen) in block.visible.enumerated() {
          graft_softmax_row(
            s + row * count, l + head * rowCount + block.queries.lowerBound + row, scale, -.infinity, seen.lowerBound, seen.upperBound, count)
        }
        drop(s, block, head: head)
        multiplySerially(
          rows, valueSize, count, 1, MatrixOperand(s, stride: count), values, firstTerm: block.keys.lowerBound, 0,
          o + block.queries.lowerBound * heads * valueSize + head * valueSize, heads * valueSize)
      }
    }
  }

  func backward(_ gradient: Tensor, _ out: Tensor, _ logSums: Tensor, _ tape: Tape) {
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

    let dq = dQuery.mutablePointer
    let dk = dKey.mutablePointer
    let dv = dValue.mutablePointer
    let db = dBias.mutablePointer
    let blocksOfSpans = spans.indices.map(blocks(of:))
    parallel(spans.count * heads) { task in
      let span = task / heads
      let head = task % heads
      let keys = packed(key, span: span, head: head, transposed: false)
      let keysTransposed = packed(key, span: span, head: head, transposed: true)
      let valuesTransposed = packed(value, span: span, head: head, transposed: true)
      let widest = blocksOfSpans[span].map(\.keys.count).max() ?? 0
      let scratch = Tensor(uninitialized: [dropout == nil ? 2 : 3, Self.blockRows, max(1, widest)])
      let p = scratch.mutablePointer
      let dp = p + Self.blockRows * widest
      let kept = dropout == nil ? p : dp + Self.blockRows * widest
      for block in blocksOfSpans[span] {
        let rows = block.queries.count
        let count = block.keys.count
        let firstKey = places.starts[span] + block.keys.lowerBound
        probabilities(block, head, keysTransposed, logSums, into: p)
        if dropout != nil {
          kept.update(from: p, count: rows * count)
          drop(kept, block, head: head)
        }
        let dOut = gradient.pointer + block.queries.lowerBound * heads * valueSize + head * valueSize
        let outs = out.pointer + block.queries.lowerBound * heads * valueSize + head * valueSize
        let dOutOperand = MatrixOperand(dOut, stride: heads * valueSize)
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
            let line = db + task * biasColumns + bias.reach + block.keys.lowerBound - (block.firstPlace + row)
            graft_accumulate_scaled(line, dp + row * count, 1 / scale, count)
          }
        }
        multiplySerially(
          rows, headSize, count, 1, MatrixOperand(dp, stride: count), keys, firstTerm: block.keys.lowerBound, 0,
          dq + block.queries.lowerBound * heads * headSize + head * headSize, heads * headSize)
        if wantsKeys {
          multiplySerially(
            count, headSize, rows, 1, MatrixOperand(dp, stride: count, transposed: true),
            MatrixOperand(query.pointer + block.queries.lowerBound * heads * headSize + head * headSize, stride: heads * headSize), 1,
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
  }

  /// Recomputes a block's probabilities from its scores and the logarithms of their sums.
  private func probabilities(_ block: Block, _ head: Int, _ keys: PackedMatrix, _ logSums: Tensor, into p: UnsafeMutablePointer<Float>) {
    let count = block.keys.count
    let l = logSums.pointer + head * query.shape[0] + block.queries.lowerBound
    scores(block, head: head, keys, into: p)
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

let attentionSpecimens: [OperationSpecimen] = [
  OperationSpecimen("attention, causal, grouped, packed", .init("query", [7, 12]), .init("key", [7, 6]), .init("value", [7, 4])) {
    attention(
      query: $0[0], key: $0[1], value: $0[2], heads: 4, keyValueHeads: 2, spans: [AttentionSpan(0..<3), AttentionSpan(3..<7)], mask: .causal)
  },
  OperationSpecimen("attention, several blocks", .init("query", [150, 4]), .init("key", [150, 4]), .init("value", [150, 4])) {
    attention(query: $0[0], key: $0[1], value: $0[2], heads: 2, keyValueHeads: 2, spans: [AttentionSpan(0..<150)], mask: .causal)
  },
  OperationSpecimen("attention, window, padding", .init("query", [9, 4]), .init("key", [9, 2]), .init("value", [9, 3])) {
    attention(
      query: $0[0], key: $0[1], value: $0[2], heads: 2, keyValueHeads: 1, spans: [AttentionSpan(0..<4), AttentionSpan(5..<8)],
      mask: AttentionMask(.causal, window: 2))
  },
  OperationSpecimen("attention, cached keys", .init("query", [2, 4]), .init("key", [5, 4]), .init("value", [5, 4])) {
    attention(query: $0[0], key: $0[1], value: $0[2], heads: 2, keyValueHeads: 2, spans: [AttentionSpan(queries: 0..<2, keys: 0..<5)], mask: .causal)
  },
  OperationSpecimen("attention, runs of keys", .init("query", [5, 4]), .init("key", [9, 2]), .init("value", [9, 3])) {
    attention(
      query: $0[0], key: $0[1], value: $0[2], heads: 2, keyValueHeads: 1,
      spans: [
        AttentionSpan(queries: 0..<3, keys: KeyRows([0..<2, 4..<7])), AttentionSpan(queries: 3..<5, keys: KeyRows([0..<2, 8..<9, 3..<4])),
      ], mask: .causal)
  },
  OperationSpecimen("attention, dropout", .init("query", [70, 4]), .init("key", [70, 4]), .init("value", [70, 4])) {
    attention(
      query: $0[0], key: $0[1], value: $0[2], heads: 2, keyValueHeads: 2, spans: [AttentionSpan(0..<70)], mask: .causal,
      dropout: AttentionDropout(probability: 0.3, RandomStream(seed: 3)))
  },
  OperationSpecimen("attention, prefix", .init("query", [6, 4]), .init("key", [6, 4]), .init("value", [6, 4])) {
    attention(
      query: $0[0], key: $0[1], value: $0[2], heads: 1, keyValueHeads: 1, spans: [AttentionSpan(0..<6)], mask: AttentionMask(.prefix(lengths: [3])))
  },
  OperationSpecimen(
    "attention, bidirectional, distance bias", .init("query", [5, 4]), .init("key", [5, 4]), .init("value", [5, 4]), .init("bias", [2, 13])
  ) {
    attention(
      query: $0[0], key: $0[1], value: $0[2], heads: 2, keyValueHeads: 2, spans: [AttentionSpan(0..<5)], mask: .bidirectional, scale: 1,
      bias: DistanceBias($0[3]))
  },
  OperationSpecimen(
    "attention, scaled, distance bias", .init("query", [4, 4]), .init("key", [4, 2]), .init("value", [4, 3]), .init("bias", [2, 9])
  ) {
    attention(
      query: $0[0], key: $0[1], value: $0[2], heads: 2, keyValueHeads: 1, spans: [AttentionSpan(0..<4)], mask: .causal, scale: 0.3,
      bias: DistanceBias($0[3]))
  },
  OperationSpecimen("attention, window, several blocks", .init("query", [90, 4]), .init("key", [90, 4]), .init("value", [90, 2])) {
    attention(
      query: $0[0], key: $0[1], value: $0[2], heads: 2, keyValueHeads: 2, spans: [AttentionSpan(0..<75), AttentionSpan(75..<90)],
      mask: AttentionMask(.causal, window: 20))
  },
]
