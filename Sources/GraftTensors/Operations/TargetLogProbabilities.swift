import CKernels

/// The logarithms of the probabilities of targets under `softmax(logits)`, each tracked: what preference losses, policy
/// gradients and distillation from the likeliest tokens are made of.
///
/// - Parameters:
///   - logits: `[rows, classes]`.
///   - targets: `[rows]` classes, or `[rows, count]` for several in each row.
/// - Returns: as `targets` is shaped.
public func targetLogProbabilities(_ logits: Tensor, targets: Tensor) -> Tensor {
  let rows = logits.shape.rows
  let classes = logits.shape.columns
  let lookup = TargetLookup(targets, rows: rows, classes: classes)
  let from = logits.pointer
  parallel(over: rows, grain: rowGrain(columns: classes)) { part in
    for row in part { lookup.read(from + row * classes, row: row) }
  }
  // Probabilities are computed from the sums that belong to these very logits.
  let saved = Saved(logits, exactly: true)
  return recorded("targetLogProbabilities", lookup.values, from: logits.slot) { gradient, tape in
    let slopes = Tensor(uninitialized: saved.slot.shape)
    let s = slopes.mutablePointer
    let logits = saved.tensor
    parallel(over: rows, grain: rowGrain(columns: classes)) { part in
      for row in part {
        (s + row * classes).update(from: logits.pointer + row * classes, count: classes)
        lookup.differentiate(s + row * classes, row: row, gradient)
      }
    }
    tape.accumulate(slopes, into: saved.slot)
  }
}

/// The logarithms of the probabilities of targets under the softmax of a head's logits.
///
/// The head runs in chunks of rows, once more for the gradient, so that `[rows, vocabulary]` never exists.
///
/// - Parameters:
///   - hidden: `[rows, width]`.
///   - targets: `[rows]` token ids, or `[rows, count]` for several in each row.
/// - Returns: as `targets` is shaped.
public func linearTargetLogProbabilities(_ hidden: Tensor, _ projection: LogitProjection, targets: Tensor) -> Tensor {
  let vocabulary = projection.vocabularySize
  let lookup = TargetLookup(targets, rows: hidden.shape.rows, classes: vocabulary)
  projection.forEachChunk(of: hidden) { rows, logits in
    parallel(rows.count) { index in
      projection.cap(logits + index * vocabulary)
      lookup.read(logits + index * vocabulary, row: rows.lowerBound + index)
    }
  }
  let saved = Saved(hidden)
  let inputs = [hidden.slot] + projection.slots
  return recorded("linearTargetLogProbabilities", lookup.values, from: inputs) { gradient, tape in
    let hidden = saved.tensor
    let gradients = LogitProjectionGradients(of: projection, hidden, isWanted: tape.tracks)
    projection.forEachChunk(of: hidden) { rows, logits in
      parallel(rows.count) { index in
        projection.differentiated(logits + index * vocabulary) { lookup.differentiate($0, row: rows.lowerBound + index, gradient) }
      }
      gradients.add(logits, rows, of: hidden)
    }
    for (gradient, input) in gradients.found(for: saved.slot) { tape.accumulate(gradient, into: input) }
  }
}

/// The targets of rows of logits, with the logarithms of their probabilities once they have been read.
private struct TargetLookup {
  let targets: Tensor
  /// `log softmax(logits)[target]`, shaped as the targets.
  let values: Tensor
  private let logSumExps: Tensor
  private let classes: Int
  private let count: Int

  init(_ targets: Tensor, rows: Int, classes: Int) {
    precondition(targets.elementCount % max(1, rows) == 0, "\(targets.shape) targets for \(rows) rows")
    requireIndices(targets, below: classes)
    self.targets = targets
    self.classes = classes
    count = targets.elementCount / max(1, rows)
    values = Tensor(uninitialized: targets.shape)
    logSumExps = Tensor(uninitialized: [rows])
  }

  /// Reads one row of logits.
  func read(_ logits: UnsafePointer<Float>, row: Int) {
    let sum = graft_log_sum_exp(logits, classes)
    logSumExps.mutablePointer[row] = sum
    for at in row * count..<(row + 1) * count { values.mutablePointer[at] = logits[Int(targets.indices[at])] - sum }
  }

  /// Makes one row of logits the gradient of them.
  func differentiate(_ logits: UnsafeMutablePointer<Float>, row: Int, _ gradient: Tensor) {
    let own = row * count..<(row + 1) * count
    let total = own.reduce(Float(0)) { $0 + gradient.pointer[$1] }
    graft_probabilities_row(logits, logSumExps.pointer[row], 1, 0, classes, classes)
    graft_scale(logits, logits, -total, classes)
    for at in own { logits[Int(targets.indices[at])] += gradient.pointer[at] }
  }
}

/// The prediction of one target by a row of logits.
public struct TargetPrediction: Sendable, Equatable {
  /// `log softmax(logits)[target]`.
  public var logProbability: Float
  /// True where no other class has a larger logit.
  public var isFirstChoice: Bool

  init(_ logits: UnsafePointer<Float>, _ target: Int32, _ classes: Int) {
    let wanted = logits[Int(target)]
    logProbability = wanted - graft_log_sum_exp(logits, classes)
    isFirstChoice = graft_largest(logits, classes) <= wanted
  }
}

/// Returns the prediction of each row's target by `logits [rows, classes]`.
public func targetPredictions(logits: Tensor, targets: [Int32]) -> [TargetPrediction] {
  let classes = logits.shape.columns
  let from = logits.pointer
  return targets.enumerated().map { row, target in TargetPrediction(from + row * classes, target, classes) }
}

/// Returns the prediction of each row's target by a head over `hidden [rows, width]`, in chunks of rows, without a gradient.
public func targetPredictions(_ hidden: Tensor, _ projection: LogitProjection, targets: [Int32]) -> [TargetPrediction] {
  let vocabulary = projection.vocabularySize
  return [TargetPrediction](unsafeUninitializedCapacity: hidden.shape.rows) { results, count in
    let base = results.baseAddress
    projection.forEachChunk(of: hidden) { rows, logits in
      parallel(rows.count) { index in
        projection.cap(logits + index * vocabulary)
        let row = rows.lowerBound + index
        base?.advanced(by: row).initialize(to: TargetPrediction(logits + index * vocabulary, targets[row], vocabulary))
      }
    }
    count = hidden.shape.rows
  }
}

let targetLogProbabilitySpecimens: [OperationSpecimen] = [
  OperationSpecimen("targetLogProbabilities", .init("logits", [4, 5])) {
    targetLogProbabilities($0[0], targets: Tensor([0, 4, 2, 2] as [Int32]))
  },
  OperationSpecimen("targetLogProbabilities, several a row", .init("logits", [3, 5])) {
    targetLogProbabilities($0[0], targets: Tensor([0, 4, 2, 2, 1, 3] as [Int32]).reshaped(to: [3, 2]))
  },
  OperationSpecimen("linearTargetLogProbabilities", .init("hidden", [6, 4]), .init("head", [9, 4]), .init("bias", [9])) {
    linearTargetLogProbabilities($0[0], LogitProjection($0[1], bias: $0[2]), targets: Tensor([0, 8, 3, 3, 5, 1] as [Int32]))
  },
  OperationSpecimen("linearTargetLogProbabilities, softcap", .init("hidden", [4, 3], in: -3..<3), .init("head", [5, 3], in: -3..<3)) {
    linearTargetLogProbabilities(
      $0[0], LogitProjection($0[1], softcap: 2), targets: Tensor([0, 4, 2, 2, 1, 3, 0, 1] as [Int32]).reshaped(to: [4, 2]))
  },
  OperationSpecimen("linearTargetLogProbabilities, in chunks", .init("hidden", [1100, 2]), .init("head", [5, 2]), .init("bias", [5])) {
    linearTargetLogProbabilities($0[0], LogitProjection($0[1], bias: $0[2]), targets: Tensor((0..<1100).map { Int32($0 * 7 % 5) }))
  },
]
