import CKernels

/// The memory of one task of attention's gradient: packed keys and values, and the rows of one block.
struct PairScratch {
  let packedKeys: PackedMatrix, packedKeysTransposed: PackedMatrix, packedValues: PackedMatrix
  let keys: TransposedSum, values: TransposedSum
  private let rows: Tensor
  private let count: Int
  private let keepsApart: Bool, caps: Bool

  init(_ pair: GradientPair, _ head: Int, _ problem: AttentionProblem) {
    let span = pair.chunk.span
    packedKeys = problem.packed(problem.key, pair.keys, span: span, head: head, transposed: false)
    packedKeysTransposed = problem.packed(problem.key, pair.keys, span: span, head: head, transposed: true)
    packedValues = problem.packed(problem.value, pair.keys, span: span, head: head, transposed: true)
    keys = TransposedSum(keys: pair.keys.count, size: problem.headSize, problem.rounding)
    values = TransposedSum(keys: pair.keys.count, size: problem.valueSize, problem.rounding)
    (keepsApart, caps) = (problem.dropping != nil || problem.shareRounding != nil, problem.options.softcap != nil)
    count = AttentionProblem.blockRows * pair.keys.count
    rows = Tensor(uninitialized: [2 + (keepsApart ? 1 : 0) + (caps ? 1 : 0), count])
  }

  /// The probabilities of a block, `[queries, keys]`.
  var probabilities: UnsafeMutablePointer<Float> { rows.mutablePointer }
  /// The gradients of the probabilities, then of the scores.
  var gradients: UnsafeMutablePointer<Float> { probabilities + count }
  /// The probabilities that dropout keeps, as products read them.
  var kept: UnsafeMutablePointer<Float> { keepsApart ? gradients + count : probabilities }
  /// The derivatives of the cap.
  var slopes: UnsafeMutablePointer<Float>? { caps ? gradients + (keepsApart ? 2 : 1) * count : nil }

  /// Adds the sums that are not yet where they belong.
  /// - Parameters:
  ///   - dKeys: the head's columns of the first key's gradient; nil where it is not wanted.
  ///   - dValues: likewise.
  func finish(_ dKeys: UnsafeMutablePointer<Float>?, _ dValues: UnsafeMutablePointer<Float>?, heads: Int) {
    if let dKeys { keys.move(to: dKeys, stride: heads * keys.size) }
    if let dValues { values.move(to: dValues, stride: heads * values.size) }
  }
}

/// A sum of products `xᵀ y` for the keys of a block, with x `[queries, keys]` and y `[queries, size]`.
///
/// With float32 operands tiles read x where it is. Rounded operands are packed, which is far quicker for the second operand of a product
/// than for a transposed first one: what is added up then is `yᵀ x`, transposed in the end.
struct TransposedSum {
  let size: Int
  private let keys: Int
  private let rounding: ElementFormat?
  /// `[size, keys]`; nil where products are added where they belong.
  private let sum: Tensor?

  init(keys: Int, size: Int, _ rounding: ElementFormat?) {
    (self.keys, self.size, self.rounding) = (keys, size, rounding)
    sum = rounding == nil ? nil : Tensor(uninitialized: [size, keys])
    if let sum { graft_fill(sum.mutablePointer, 0, sum.elementCount) }
  }

  /// Adds a product for some of the keys.
  /// - Parameter target: `[keys.count, size]`.
  func add(
    _ x: UnsafePointer<Float>, _ y: MatrixOperand, rows: Int, keys part: Range<Int>, to target: UnsafeMutablePointer<Float>, stride: Int
  ) {
    if let sum {
      var left = y
      left.isTransposed = true
      let right = MatrixOperand(x, stride: part.count, rounding: rounding)
      multiplySerially(size, part.count, rows, 1, left, right, 1, sum.mutablePointer + part.lowerBound, keys)
    } else {
      multiplySerially(part.count, size, rows, 1, MatrixOperand(x, stride: part.count, transposed: true), y, 1, target, stride)
    }
  }

  /// Adds what was summed up apart from its place.
  func move(to target: UnsafeMutablePointer<Float>, stride: Int) {
    if let sum { graft_accumulate_transposed(target, stride, sum.pointer, keys, size, keys) }
  }
}
