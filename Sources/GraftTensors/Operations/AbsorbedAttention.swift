import CKernels

/// Latent attention to compressed rows as they are kept: the matrix that would make keys and values of every row is multiplied
/// into queries and results instead, so that a new token does not pay for those before it (DeepSeek-AI 2024, "DeepSeek-V2", section 2.1.2).
///
/// The scores and sums are those of `latentKeysAndValues` and `attention`, in another order of additions. Nothing is recorded: it is for
/// sequences that go on, whose tokens see those up to their own.
public struct AbsorbedAttention {
  /// An adapter's change of the expansion, `scale * B A`.
  public typealias Term = (a: Tensor, b: Tensor, scale: Float)

  /// Heads and sizes, of keys with their rotary part.
  public let options: AttentionOptions
  private let expansion: Tensor
  private let term: Term?
  private let rank: Int, rotarySize: Int

  private var heads: Int { options.heads }
  /// The columns of a head's key without its rotary part.
  private var plainSize: Int { options.headSize - rotarySize }

  /// Attention through an expansion of latent rows.
  ///
  /// - Parameters:
  ///   - expansion: `[heads * (plain + value), rank]`, from latent rows to each head's key without position and its value.
  ///   - term: factors `[r, rank]` and `[heads * (plain + value), r]`, whose product is added to the expansion; nil for none.
  ///   - rotarySize: the columns of a head's key behind those.
  public init(_ options: AttentionOptions, expansion: Weight, adding term: Term? = nil, rotarySize: Int) {
    (self.options, self.rotarySize, self.term) = (options, rotarySize, term)
    self.expansion = expansion.tensor
    rank = expansion.shape[1]
    precondition(options.window == nil && options.softcap == nil, "windows and caps of \(options) in latent attention")
    precondition(
      expansion.shape[0] == options.heads * (options.headSize - rotarySize + options.valueSize), "expansion \(expansion.shape) for \(options)")
  }

  /// Attention of queries to the rows of their spans.
  ///
  /// - Parameters:
  ///   - query: `[query rows, heads * headSize]`, rotated.
  ///   - latents: `[rows, rank]`.
  ///   - rotaryKeys: `[rows, rotarySize]`, rotated.
  /// - Returns: `[query rows, heads * valueSize]`.
  public func callAsFunction(_ query: Tensor, latents: Tensor, rotaryKeys: Tensor, spans: [AttentionSpan]) -> Tensor {
    precondition(latents.shape.columns == rank && rotaryKeys.shape.columns == rotarySize, "rows \(latents.shape), \(rotaryKeys.shape)")
    let absorbed = latentQueries(query)
    let context = Tensor.zeros(absorbed.shape)
    for span in spans {
      let rows = LatentRows(span.keys, latents, rotaryKeys)
      // Scores of a bounded number of rows are held at a time.
      for first in stride(from: span.queries.lowerBound, to: span.queries.upperBound, by: max(1, 512 / heads)) {
        let queries = first..<min(span.queries.upperBound, first + max(1, 512 / heads))
        attend(queries, of: span, query, absorbed, rows, into: context)
      }
    }
    return values(of: context)
  }

  /// Queries without position as the latent rows are multiplied with them: `[query rows, heads * rank]`.
  private func latentQueries(_ query: Tensor) -> Tensor {
    let out = perHead(query, from: options.headSize, matrix: expansion, at: 0, terms: plainSize, transposed: false, columns: rank)
    guard let term else { return out }
    let low = perHead(query, from: options.headSize, matrix: term.b, at: 0, terms: plainSize, transposed: false, columns: term.b.shape[1])
    let rows = query.shape.rows * heads
    multiplyMatrices(
      m: rows, n: rank, k: term.a.shape[0], alpha: term.scale, MatrixOperand(low.pointer, stride: term.a.shape[0]),
      term.a.operand(transposed: false), beta: 1, out.mutablePointer, stride: rank)
    return out
  }

  /// The values of sums of latent rows `[query rows, heads * rank]`: `[query rows, heads * valueSize]`.
  private func values(of context: Tensor) -> Tensor {
    let size = options.valueSize
    let out = perHead(context, from: rank, matrix: expansion, at: plainSize, terms: rank, transposed: true, columns: size)
    guard let term else { return out }
    let low = linear(context.reshaped(to: [context.shape.rows * heads, rank]), term.a).reshaped(to: [context.shape.rows, heads * term.a.shape[0]])
    return perHead(
      low, from: term.a.shape[0], matrix: term.b, at: plainSize, terms: term.a.shape[0], transposed: true, columns: size, alpha: term.scale,
      addingTo: out)
  }

  /// Every head's columns of `x` times its rows of a matrix, or their transpose: `[rows, heads * columns]`.
  /// - Parameters:
  ///   - width: the columns of `x` from a head to the next.
  ///   - first: the first of a head's rows.
  private func perHead(
    _ x: Tensor, from width: Int, matrix: Tensor, at first: Int, terms: Int, transposed: Bool, columns: Int, alpha: Float = 1,
    addingTo base: Tensor? = nil
  ) -> Tensor {
    let out = base ?? Tensor(uninitialized: [x.shape.rows, heads * columns])
    let o = out.mutablePointer
    let products = (0..<heads).map { head in
      let row = head * (plainSize + options.valueSize) + first
      let part = matrix.operand(transposed: transposed).from(row: transposed ? 0 : row, column: transposed ? row : 0)
      return GroupedProduct(
        rows: x.shape.rows, columns: columns, terms: terms, a: MatrixOperand(x.pointer + head * width, stride: heads * width), b: .elements(part),
        out: o + head * columns, stride: heads * columns, beta: base == nil ? 0 : 1)
    }
    multiplyGrouped(products, alpha: alpha)
    return out
  }

  /// Writes the sums of latent rows that some queries of a span see: all heads of a query are rows of one product.
  private func attend(
    _ queries: Range<Int>, of span: AttentionSpan, _ query: Tensor, _ absorbed: Tensor, _ rows: LatentRows, into context: Tensor
  ) {
    let count = span.keys.count
    let lines = queries.count * heads
    let scores = Tensor(uninitialized: [lines, count])
    let s = scores.mutablePointer
    let positions = MatrixOperand(query.pointer + queries.lowerBound * options.queryWidth + plainSize, stride: options.headSize)
    let first = queries.lowerBound * heads * rank
    multiplyMatrices(
      m: lines, n: count, k: rank, MatrixOperand(absorbed.pointer + first, stride: rank), rows.latents.operand(transposed: true), beta: 0, s,
      stride: count)
    multiplyMatrices(m: lines, n: count, k: rotarySize, positions, rows.rotaryKeys.operand(transposed: true), beta: 1, s, stride: count)
    let seenByFirst = count - span.queries.count + queries.lowerBound - span.queries.lowerBound + 1
    parallel(over: lines, grain: rowGrain(columns: 8 * count)) { part in
      for line in part {
        var largest = -Float.infinity
        var sum: Float = 0
        _ = graft_softmax_row(s + line * count, &largest, &sum, options.scale, 0, seenByFirst + line / heads, count)
      }
    }
    multiplyMatrices(
      m: lines, n: rank, k: count, MatrixOperand(s, stride: count), rows.latents.operand(transposed: false), beta: 0,
      context.mutablePointer + first, stride: rank)
  }
}

/// The latent rows of one span and their rotary keys, side by side: where they lie, unless they lie apart.
private struct LatentRows {
  let latents: Tensor, rotaryKeys: Tensor

  init(_ keys: KeyRows, _ latents: Tensor, _ rotaryKeys: Tensor) {
    guard !keys.isContiguous else {
      (self.latents, self.rotaryKeys) = (latents.rows(keys.first), rotaryKeys.rows(keys.first))
      return
    }
    func gathered(_ x: Tensor) -> Tensor { keys.gathered(x, rows: 0..<keys.count, columns: 0..<x.shape.columns) }
    (self.latents, self.rotaryKeys) = (gathered(latents), gathered(rotaryKeys))
  }
}
