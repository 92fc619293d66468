import CKernels

/// The layer from hidden states to the logits of a vocabulary, `softcap(x Wᵀ + b)`, as losses read it: in chunks of rows.
public struct LogitProjection {
  /// `[vocabulary, width]`, in any format that products read; only a dense float32 one can be tracked.
  public var weight: Weight
  /// `[vocabulary]`.
  public var bias: Tensor?
  /// The largest magnitude of a logit, `softcap * tanh(logit / softcap)`; nil for none (Gemma 2).
  public var softcap: Float?

  /// - Parameters:
  ///   - weight: `[vocabulary, hidden]`.
  ///   - bias: `[vocabulary]`.
  public init(_ weight: Weight, bias: Tensor? = nil, softcap: Float? = nil) {
    self.weight = weight
    self.bias = bias
    self.softcap = softcap
  }

  /// A layer whose matrix is a tensor.
  public init(_ weight: Tensor, bias: Tensor? = nil, softcap: Float? = nil) { self.init(.dense(weight), bias: bias, softcap: softcap) }

  /// The number of logits in a row.
  public var vocabularySize: Int { weight.shape[0] }
  var width: Int { weight.shape[1] }
  /// The slots of what may be trained.
  var slots: [Slot?] { [weight.slot, bias?.slot] }

  /// Runs `body` on the logits of one chunk of rows after another, not yet capped, in memory that it may overwrite.
  /// - Parameter hidden: `[rows, width]`.
  func forEachChunk(of hidden: Tensor, _ body: (_ rows: Range<Int>, _ logits: UnsafeMutablePointer<Float>) -> Void) {
    precondition(hidden.shape.columns == width, "hidden \(hidden.shape) for a head \(weight.shape)")
    let rows = hidden.shape.rows
    let chunk = chunkRows(rows)
    let logits = Tensor(uninitialized: [chunk, vocabularySize])
    let z = logits.mutablePointer
    for start in stride(from: 0, to: rows, by: chunk) {
      let part = start..<min(rows, start + chunk)
      multiplyMatrices(
        m: part.count, n: vocabularySize, k: width, MatrixOperand(hidden.pointer + start * width, stride: width),
        weight.operand(transposed: true), beta: 0, z, stride: vocabularySize)
      if let bias = bias?.pointer {
        parallel(part.count) { row in graft_accumulate(z + row * vocabularySize, bias, vocabularySize) }
      }
      body(part, z)
    }
  }

  /// Returns the number of rows of logits that are held at a time: every chunk reads the whole head, so that few are better
  /// than many, and at most about 160 MB.
  private func chunkRows(_ rows: Int) -> Int {
    let limit = max(64, min(1024, (160 << 20) / (4 * vocabularySize)))
    let chunks = max(1, (rows + limit - 1) / limit)
    return max(1, (rows + chunks - 1) / chunks)
  }

  /// Caps a row of logits, lets `body` make it the gradient of the capped ones, and takes that back through the cap.
  func differentiated<R>(_ row: UnsafeMutablePointer<Float>, _ body: (UnsafeMutablePointer<Float>) -> R) -> R {
    guard let softcap else { return body(row) }
    return withUnsafeTemporaryAllocation(of: Float.self, capacity: vocabularySize) { slopes in
      guard let slopes = slopes.baseAddress else { return body(row) }
      graft_softcap(row, slopes, softcap, vocabularySize)
      let result = body(row)
      graft_multiply(row, row, slopes, vocabularySize)
      return result
    }
  }

  /// Caps a row of logits.
  func cap(_ row: UnsafeMutablePointer<Float>) {
    if let softcap { graft_softcap(row, nil, softcap, vocabularySize) }
  }
}

/// The gradients of hidden states and of the layer that reads them, added up chunk by chunk.
struct LogitProjectionGradients {
  private let projection: LogitProjection
  private let hidden: Tensor?, weight: Tensor?, bias: Tensor?

  /// - Parameter isWanted: true for the slots that a gradient goes to.
  init(of projection: LogitProjection, _ states: Tensor, isWanted: (Slot) -> Bool) {
    self.projection = projection
    hidden = isWanted(states.slot) ? Tensor(uninitialized: states.shape) : nil
    weight = isWanted(projection.weight.slot) ? Tensor.zeros(projection.weight.shape) : nil
    bias = projection.bias.map { isWanted($0.slot) } == true ? Tensor.zeros([projection.vocabularySize]) : nil
  }

  /// Adds those of a chunk of rows.
  /// - Parameter slopes: the gradient of the rows' logits.
  func add(_ slopes: UnsafeMutablePointer<Float>, _ rows: Range<Int>, of states: Tensor) {
    let vocabulary = projection.vocabularySize
    let width = projection.width
    if let hidden {
      multiplyMatrices(
        m: rows.count, n: width, k: vocabulary, MatrixOperand(slopes, stride: vocabulary), projection.weight.operand(transposed: false), beta: 0,
        hidden.mutablePointer + rows.lowerBound * width, stride: width)
    }
    if let weight {
      multiplyMatrices(
        m: vocabulary, n: width, k: rows.count, MatrixOperand(slopes, stride: vocabulary, transposed: true),
        MatrixOperand(states.pointer + rows.lowerBound * width, stride: width), beta: 1, weight.mutablePointer, stride: width)
    }
    if let bias {
      addRowReduction(to: bias.mutablePointer, rows: rows.count, columns: vocabulary) { partial, part in
        graft_column_sums(partial, UnsafePointer(slopes) + part.lowerBound * vocabulary, part.count, vocabulary)
      }
    }
  }

  /// The gradients, each with the slot that it goes to.
  func found(for states: Slot) -> [(gradient: Tensor, input: Slot)] {
    [(hidden, states), (weight, projection.weight.slot), (bias, projection.bias?.slot)].compactMap { gradient, input in
      gradient.flatMap { gradient in input.map { (gradient, $0) } }
    }
  }
}

/// `limit * tanh(x / limit)`, elementwise: no element is larger than the limit (Bello et al. 2016, eq. 16; Gemma 2).
public func softcap(_ x: Tensor, _ limit: Float) -> Tensor {
  func capped(_ x: Tensor, slopes: Tensor? = nil) -> Tensor {
    let out = Tensor(uninitialized: x.shape)
    let o = out.mutablePointer
    let s = slopes?.mutablePointer
    o.update(from: x.pointer, count: x.elementCount)
    parallel(over: x.elementCount, grain: elementwiseGrain) { part in
      graft_softcap(o + part.lowerBound, s.map { $0 + part.lowerBound }, limit, part.count)
    }
    return out
  }
  let saved = Saved(x)
  return recorded("softcap", capped(x), from: x.slot) { gradient, tape in
    let slopes = Tensor(uninitialized: gradient.shape)
    _ = capped(saved.tensor, slopes: slopes)
    tape.accumulate(elementwise(gradient, slopes, graft_multiply), into: saved.slot)
  }
}

let softcapSpecimens: [OperationSpecimen] = [
  OperationSpecimen("softcap", .init("x", [4, 9], in: -9..<9)) { softcap($0[0], 3) }
]
