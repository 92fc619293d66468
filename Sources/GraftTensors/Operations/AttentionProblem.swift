import CKernels

/// One attention's operands.
struct AttentionProblem {
  private(set) var query: Tensor, key: Tensor, value: Tensor
  let options: AttentionOptions
  let heads: Int, keyValueHeads: Int, headSize: Int, valueSize: Int
  let spans: [AttentionSpan]
  let visibilities: [KeyVisibility]
  let scale: Float
  let bias: DistanceBias?
  let sinks: Tensor?
  let dropping: RandomStream?
  /// The format that products round their operands to; the threads of a pool know no execution.
  private(set) var rounding = Execution.current.arithmetic.operandFormat
  /// The format of probabilities and their gradients in products, where all other operands have been rounded to it before.
  private(set) var shareRounding: ElementFormat?

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
    (self.spans, self.bias, self.sinks) = (spans, bias, sinks)
    visibilities = spans.enumerated().map { mask.visibility(of: $0, keyCount: $1.keys.count, window: options.window) }
    scale = options.scale
    self.dropping = options.dropout > 0 ? dropping : nil
  }

  var group: Int { heads / keyValueHeads }

  /// The problem with operands that are rounded once, for tiles of floats: those read what need not be rounded where it is.
  func roundedAhead() -> AttentionProblem {
    guard let rounding, !PackedMatrix.hasTile(of: rounding) else { return self }
    var problem = self
    (problem.query, problem.key, problem.value) = (query.rounded(to: rounding), key.rounded(to: rounding), value.rounded(to: rounding))
    (problem.rounding, problem.shareRounding) = (nil, rounding)
    return problem
  }

  /// Rounds a block's probabilities or their gradients, where products do not.
  func roundShares(_ shares: UnsafeMutablePointer<Float>, _ block: AttentionBlock) {
    if let shareRounding { graft_round(shares, shares, shareRounding.kernelType, block.queries.count * block.keys.count) }
  }

  /// A row for every query, to be written span by span, with zeros where some are outside of them.
  func rowsOfQueries(_ columns: Int) -> Tensor {
    let shape: Shape = [query.shape[0], columns]
    return spans.reduce(0) { $0 + $1.queries.count } < shape[0] ? Tensor.zeros(shape) : Tensor(uninitialized: shape)
  }

  /// A head's queries from a row of the query tensor on, `[rows, headSize]`.
  func queries(from row: Int, head: Int) -> MatrixOperand {
    MatrixOperand(query.pointer + row * heads * headSize + head * headSize, stride: heads * headSize, rounding: rounding)
  }

  /// Some of the keys or values in a span, counted within it, that a query head reads, `[keys, size]` or transposed: ready for
  /// products with many blocks of queries.
  func packed(_ x: Tensor, _ keys: Range<Int>, span: Int, head: Int, transposed: Bool) -> PackedMatrix {
    let width = x.shape.columns
    let size = width / keyValueHeads
    let rows = spans[span].keys
    let column = head / group * size
    let gathered = rows.isContiguous ? nil : rows.gathered(x, rows: keys, columns: column..<column + size)
    let base = gathered?.rawPointer ?? x.rawPointer + x.dtype.bytes(for: (rows.first.lowerBound + keys.lowerBound) * width + column)
    let operand = MatrixOperand(base, dtype: x.dtype, stride: gathered == nil ? width : size, transposed: transposed, rounding: rounding)
    var matrix = PackedMatrix(
      operand, terms: transposed ? size : keys.count, columns: transposed ? keys.count : size, forRows: spans[span].queries.count,
      keeping: gathered?.storage)
    matrix.pack()
    return matrix
  }

  /// Caps the scores of a block, `[queries, keys]`, and adds the bias to them, all before they are scaled.
  ///
  /// - Parameter slopes: memory for the derivatives of the cap, if they are wanted.
  func capAndBias(
    _ scores: UnsafeMutablePointer<Float>, _ block: AttentionBlock, head: Int, slopes: UnsafeMutablePointer<Float>? = nil
  ) {
    let count = block.keys.count
    if let softcap = options.softcap { graft_softcap(scores, slopes, softcap / scale, block.queries.count * count) }
    guard let bias else { return }
    let line = bias.values.pointer + head * bias.values.shape.columns + bias.maximumDistance + block.keys.lowerBound
    for row in 0..<block.queries.count { graft_accumulate_scaled(scores + row * count, line - (block.firstPlace + row), 1 / scale, count) }
  }

  /// Sets to 0 what dropout takes of a block's rows, whose masks are a function of head, query and key.
  func drop(_ rows: UnsafeMutablePointer<Float>, _ block: AttentionBlock, head: Int) {
    guard let dropping else { return }
    let count = block.keys.count
    for row in 0..<block.queries.count {
      let stream = dropping.split(head * query.shape[0] + block.queries.lowerBound + row)
      graft_dropout(rows + row * count, rows + row * count, 1 - options.dropout, stream.key, UInt64(block.keys.lowerBound), count)
    }
  }
}

extension Tensor {
  /// The elements rounded to the nearest numbers that a format has, in the type that they are stored in.
  func rounded(to format: ElementFormat) -> Tensor {
    guard dtype == .float32 else { return self }
    let out = Tensor(uninitialized: shape)
    let (from, to) = (pointer, out.mutablePointer)
    parallel(over: elementCount, grain: elementwiseGrain) { graft_round(to + $0.lowerBound, from + $0.lowerBound, format.kernelType, $0.count) }
    return out
  }
}
