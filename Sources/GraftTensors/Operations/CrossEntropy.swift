import CKernels

/// The summed negative log-likelihood of `targets` under `softmax(hidden headᵀ + bias)`, times `scale`.
///
/// The head and the loss run in chunks of rows that also produce their gradients, so that `[rows, vocabulary]` never
/// exists; the caller passes only the rows that carry loss.
///
/// - Parameters:
///   - hidden: `[rows, width]`.
///   - head: `[vocabulary, width]`, in any format that products read; only a dense float32 one can be tracked.
///   - bias: `[vocabulary]`.
///   - targets: `[rows]` token ids.
///   - weights: `[rows]`, times which each row's loss counts; nil counts all of them once.
///   - options: label smoothing and the weights of classes.
/// - Returns: a scalar.
public func linearCrossEntropy(
  _ hidden: Tensor, head: Weight, bias: Tensor? = nil, targets: Tensor, weights: Tensor? = nil,
  options: CrossEntropyOptions = CrossEntropyOptions(), scale: Float = 1
) -> Tensor {
  let rows = hidden.shape.rows
  let width = hidden.shape.columns
  let vocabulary = head.shape[0]
  precondition(head.shape[1] == width && targets.elementCount == rows, "head \(head.shape), hidden \(hidden.shape), targets \(targets.shape)")
  precondition(weights?.elementCount ?? rows == rows, "\(rows) rows, weights \(weights?.shape ?? [])")
  requireIndices(targets, below: vocabulary)
  let wantsHidden = hidden.isTracked
  let wantsHead = head.isTracked
  let wantsBias = bias?.isTracked ?? false
  let dHidden = wantsHidden ? Tensor(uninitialized: hidden.shape) : nil
  let dHead = wantsHead ? Tensor.zeros(head.shape) : nil
  let dBias = wantsBias ? Tensor.zeros([vocabulary]) : nil

  var total = 0.0
  let chunk = headChunkRows(rows, vocabulary: vocabulary)
  let logits = Tensor(uninitialized: [chunk, vocabulary])
  let losses = Tensor(uninitialized: [chunk])
  let z = logits.mutablePointer
  let l = losses.mutablePointer
  let wanted = targets.indices
  let weight = weights?.pointer
  let rowLoss = options.rowLoss(classes: vocabulary)
  for start in stride(from: 0, to: rows, by: chunk) {
    let count = min(chunk, rows - start)
    headLogits(z, hidden, rows: start..<start + count, head: head, bias: bias)
    parallel(count) { row in
      l[row] = rowLoss(z + row * vocabulary, wanted[start + row], rowScale(scale, weight, start + row))
    }
    for row in 0..<count { total += Double(l[row]) * Double(weight?[start + row] ?? 1) }
    let dz = MatrixOperand(z, stride: vocabulary)
    if let dHidden {
      multiplyMatrices(
        m: count, n: width, k: vocabulary, dz, head.operand(transposed: false), beta: 0, dHidden.mutablePointer + start * width, stride: width)
    }
    if let dHead {
      multiplyMatrices(
        m: vocabulary, n: width, k: count, MatrixOperand(z, stride: vocabulary, transposed: true),
        MatrixOperand(hidden.pointer + start * width, stride: width), beta: 1, dHead.mutablePointer, stride: width)
    }
    if let dBias {
      addRowReduction(to: dBias.mutablePointer, rows: count, columns: vocabulary) { partial, part in
        graft_column_sums(partial, UnsafePointer(z) + part.lowerBound * vocabulary, part.count, vocabulary)
      }
    }
  }
  let found = [(dHidden, hidden.slot), (dHead, head.slot), (dBias, bias?.slot)].compactMap { gradient, input in
    gradient.flatMap { gradient in input.map { (saved: Saved(gradient, exactly: true), input: $0) } }
  }
  return recorded("linearCrossEntropy", Tensor([Float(total * Double(scale))], []), from: hidden.slot, head.slot, bias?.slot) { gradient, tape in
    let seed = gradient.scalar
    for (saved, input) in found { tape.accumulate(seed == 1 ? saved.tensor : scaled(saved.tensor, by: seed), into: input) }
  }
}

/// The same with a tensor as the head.
public func linearCrossEntropy(
  _ hidden: Tensor, head: Tensor, bias: Tensor? = nil, targets: Tensor, weights: Tensor? = nil,
  options: CrossEntropyOptions = CrossEntropyOptions(), scale: Float = 1
) -> Tensor {
  linearCrossEntropy(hidden, head: .dense(head), bias: bias, targets: targets, weights: weights, options: options, scale: scale)
}

/// The summed negative log-likelihood of `targets` under `softmax(logits)`, times `scale`.
///
/// - Parameters:
///   - logits: `[rows, classes]`.
///   - targets: `[rows]` classes.
///   - weights: `[rows]`, times which each row's loss counts; nil counts all of them once.
///   - options: label smoothing and the weights of classes.
/// - Returns: a scalar.
public func crossEntropy(
  _ logits: Tensor, targets: Tensor, weights: Tensor? = nil, options: CrossEntropyOptions = CrossEntropyOptions(), scale: Float = 1
) -> Tensor {
  let rows = logits.shape.rows
  let classes = logits.shape.columns
  precondition(targets.elementCount == rows, "\(targets.elementCount) targets for logits \(logits.shape)")
  precondition(weights?.elementCount ?? rows == rows, "\(rows) rows, weights \(weights?.shape ?? [])")
  requireIndices(targets, below: classes)
  let slopes = Tensor(uninitialized: logits.shape)
  let losses = Tensor(uninitialized: [rows])
  let s = slopes.mutablePointer
  let l = losses.mutablePointer
  let from = logits.pointer
  let wanted = targets.indices
  let weight = weights?.pointer
  let rowLoss = options.rowLoss(classes: classes)
  parallel(over: rows, grain: rowGrain(columns: classes)) { part in
    for row in part {
      (s + row * classes).update(from: from + row * classes, count: classes)
      l[row] = rowLoss(s + row * classes, wanted[row], rowScale(scale, weight, row))
    }
  }
  let total = (0..<rows).reduce(0.0) { $0 + Double(l[$1]) * Double(weight?[$1] ?? 1) } * Double(scale)
  let input = logits.slot
  let saved = Saved(slopes, exactly: true)
  return recorded("crossEntropy", Tensor([Float(total)], []), from: input) { gradient, tape in
    tape.accumulate(gradient.scalar == 1 ? saved.tensor : scaled(saved.tensor, by: gradient.scalar), into: input)
  }
}

/// The factor of one row's loss.
private func rowScale(_ scale: Float, _ weights: UnsafePointer<Float>?, _ row: Int) -> Float { weights.map { scale * $0[row] } ?? scale }

/// How a row of logits stands to its target.
public struct TargetPrediction: Sendable, Equatable {
  /// `log softmax(logits)[target]`.
  public var logProbability: Float
  /// Whether no other class has a larger logit.
  public var isFirstChoice: Bool
}

/// How every row of `logits [rows, classes]` stands to its target.
public func targetPredictions(logits: Tensor, targets: [Int32]) -> [TargetPrediction] {
  let classes = logits.shape.columns
  let from = logits.pointer
  return targets.enumerated().map { row, target in prediction(from + row * classes, target, classes) }
}

/// How every row of `hidden headᵀ + bias` stands to its target, in chunks of rows, without a gradient.
public func targetPredictions(_ hidden: Tensor, head: Weight, bias: Tensor? = nil, targets: [Int32]) -> [TargetPrediction] {
  let rows = hidden.shape.rows
  let vocabulary = head.shape[0]
  let chunk = headChunkRows(rows, vocabulary: vocabulary)
  let logits = Tensor(uninitialized: [chunk, vocabulary])
  let z = logits.mutablePointer
  var results = [TargetPrediction](repeating: TargetPrediction(logProbability: 0, isFirstChoice: false), count: rows)
  results.withUnsafeMutableBufferPointer { out in
    let base = out.baseAddress
    for start in stride(from: 0, to: rows, by: chunk) {
      let count = min(chunk, rows - start)
      headLogits(z, hidden, rows: start..<start + count, head: head, bias: bias)
      parallel(count) { row in base?[start + row] = prediction(z + row * vocabulary, targets[start + row], vocabulary) }
    }
  }
  return results
}

private func prediction(_ logits: UnsafePointer<Float>, _ target: Int32, _ classes: Int) -> TargetPrediction {
  let wanted = logits[Int(target)]
  return TargetPrediction(
    logProbability: wanted - graft_log_sum_exp(logits, classes), isFirstChoice: graft_largest(logits, classes) <= wanted)
}

/// How many of `rows` rows of logits are held at a time: every chunk reads the whole head, so that few are better than
/// many, and at most about 160 MB.
private func headChunkRows(_ rows: Int, vocabulary: Int) -> Int {
  let limit = max(64, min(1024, (160 << 20) / (4 * vocabulary)))
  let chunks = max(1, (rows + limit - 1) / limit)
  return max(1, (rows + chunks - 1) / chunks)
}

private func headLogits(_ out: UnsafeMutablePointer<Float>, _ hidden: Tensor, rows: Range<Int>, head: Weight, bias: Tensor?) {
  let vocabulary = head.shape[0]
  let width = head.shape[1]
  multiplyMatrices(
    m: rows.count, n: vocabulary, k: width, MatrixOperand(hidden.pointer + rows.lowerBound * width, stride: width), head.operand(transposed: true),
    beta: 0, out, stride: vocabulary)
  guard let bias = bias?.pointer else { return }
  parallel(rows.count) { row in graft_accumulate(out + row * vocabulary, bias, vocabulary) }
}

let crossEntropySpecimens: [OperationSpecimen] = [
  OperationSpecimen("linearCrossEntropy", .init("hidden", [6, 4]), .init("head", [9, 4]), .init("bias", [9])) {
    linearCrossEntropy($0[0], head: $0[1], bias: $0[2], targets: Tensor([0, 8, 3, 3, 5, 1] as [Int32]), scale: 0.25)
  },
  OperationSpecimen("linearCrossEntropy, weighted", .init("hidden", [4, 3]), .init("head", [5, 3])) {
    linearCrossEntropy($0[0], head: $0[1], targets: Tensor([0, 4, 2, 2] as [Int32]), weights: Tensor([1, 0, 0.5, 2] as [Float]), scale: 0.25)
  },
  OperationSpecimen("linearCrossEntropy, smoothed", .init("hidden", [4, 3]), .init("head", [5, 3])) {
    linearCrossEntropy(
      $0[0], head: $0[1], targets: Tensor([0, 4, 2, 2] as [Int32]), options: CrossEntropyOptions(smoothing: 0.2), scale: 0.25)
  },
  OperationSpecimen("crossEntropy, smoothed with classes weighed", .init("logits", [4, 5])) {
    crossEntropy(
      $0[0], targets: Tensor([0, 4, 2, 2] as [Int32]), options: CrossEntropyOptions(smoothing: 0.1, classWeights: [1, 2, 0.5, 0, 3]), scale: 0.5)
  },
  OperationSpecimen("crossEntropy, weighted", .init("logits", [4, 5])) {
    crossEntropy($0[0], targets: Tensor([0, 4, 2, 2] as [Int32]), weights: Tensor([1, 0, 0.5, 2] as [Float]), scale: 0.5)
  },
  OperationSpecimen("crossEntropy", .init("logits", [4, 5])) { crossEntropy($0[0], targets: Tensor([0, 4, 2, 2] as [Int32]), scale: 0.5) },
  OperationSpecimen("linearCrossEntropy, in chunks", .init("hidden", [1100, 2]), .init("head", [5, 2]), .init("bias", [5])) {
    linearCrossEntropy($0[0], head: $0[1], bias: $0[2], targets: Tensor((0..<1100).map { Int32($0 * 7 % 5) }), scale: 0.01)
  },
]
