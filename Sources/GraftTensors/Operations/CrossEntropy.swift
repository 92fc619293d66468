import CKernels

/// The summed negative log-likelihood of `targets` under the softmax of a head's logits, times `scale`.
///
/// The head and the loss run in chunks of rows that also produce their gradients, so that `[rows, vocabulary]` never
/// exists; the caller passes only the rows that carry loss.
///
/// - Parameters:
///   - hidden: `[rows, width]`.
///   - targets: `[rows]` token ids.
///   - weights: `[rows]`, times which each row's loss counts; nil counts all of them once.
///   - options: label smoothing and the weights of classes.
/// - Returns: a scalar.
public func linearCrossEntropy(
  _ hidden: Tensor, _ projection: LogitProjection, targets: Tensor, weights: Tensor? = nil,
  options: CrossEntropyOptions = CrossEntropyOptions(), scale: Float = 1
) -> Tensor {
  let rows = hidden.shape.rows
  let vocabulary = projection.vocabularySize
  precondition(targets.elementCount == rows, "hidden \(hidden.shape), targets \(targets.shape)")
  precondition(weights?.elementCount ?? rows == rows, "\(rows) rows, weights \(weights?.shape ?? [])")
  requireIndices(targets, below: vocabulary)
  let inputs = [hidden.slot] + projection.slots
  let gradients = LogitProjectionGradients(of: projection, hidden) { slot in Tape.current.map { $0.tracks(slot) } ?? false }
  var total = 0.0
  let losses = Tensor(uninitialized: [rows])
  let l = losses.mutablePointer
  let wanted = targets.indices
  let weight = weights?.pointer
  let rowLoss = options.rowLoss(classes: vocabulary)
  projection.forEachChunk(of: hidden) { chunk, z in
    parallel(chunk.count) { index in
      let row = chunk.lowerBound + index
      l[row] = projection.differentiated(z + index * vocabulary) { rowLoss($0, wanted[row], rowScale(scale, weight, row)) }
    }
    for row in chunk { total += Double(l[row]) * Double(weight?[row] ?? 1) }
    gradients.add(z, chunk, of: hidden)
  }
  let found = gradients.found(for: hidden.slot).map { (saved: Saved($0.gradient, exactly: true), input: $0.input) }
  return recorded("linearCrossEntropy", Tensor([Float(total * Double(scale))], []), from: inputs) { gradient, tape in
    let seed = gradient.scalar
    for (saved, input) in found { tape.accumulate(seed == 1 ? saved.tensor : scaled(saved.tensor, by: seed), into: input) }
  }
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

let crossEntropySpecimens: [OperationSpecimen] = [
  OperationSpecimen("linearCrossEntropy", .init("hidden", [6, 4]), .init("head", [9, 4]), .init("bias", [9])) {
    linearCrossEntropy($0[0], LogitProjection($0[1], bias: $0[2]), targets: Tensor([0, 8, 3, 3, 5, 1] as [Int32]), scale: 0.25)
  },
  OperationSpecimen("linearCrossEntropy, weighted", .init("hidden", [4, 3]), .init("head", [5, 3])) {
    linearCrossEntropy(
      $0[0], LogitProjection($0[1]), targets: Tensor([0, 4, 2, 2] as [Int32]), weights: Tensor([1, 0, 0.5, 2] as [Float]), scale: 0.25)
  },
  OperationSpecimen("linearCrossEntropy, smoothed", .init("hidden", [4, 3]), .init("head", [5, 3])) {
    linearCrossEntropy(
      $0[0], LogitProjection($0[1]), targets: Tensor([0, 4, 2, 2] as [Int32]), options: CrossEntropyOptions(smoothing: 0.2), scale: 0.25)
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
    linearCrossEntropy($0[0], LogitProjection($0[1], bias: $0[2]), targets: Tensor((0..<1100).map { Int32($0 * 7 % 5) }), scale: 0.01)
  },
  OperationSpecimen("linearCrossEntropy, softcap", .init("hidden", [4, 3], in: -3..<3), .init("head", [5, 3], in: -3..<3), .init("bias", [5])) {
    linearCrossEntropy(
      $0[0], LogitProjection($0[1], bias: $0[2], softcap: 2), targets: Tensor([0, 4, 2, 2] as [Int32]),
      weights: Tensor([1, 0, 0.5, 2] as [Float]), scale: 0.25)
  },
]
