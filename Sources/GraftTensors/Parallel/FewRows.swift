import CKernels

/// Products of a few rows with a large matrix, as decoding makes them: the speed of memory is their limit, so that the matrix is
/// read once, where it lies and as it is stored.
enum FewRows {
  /// The most rows for which reading the matrix where it lies is faster than packing it.
  private static let mostRows = 8
  /// Floats of a matrix that is packed at little cost, and that a task is worth its start for.
  private static let smallCount = 1 << 16
  /// Columns that lie side by side and are read together: those that registers hold, and those of a task where there are many.
  private static let narrowColumns = 64
  private static let wideColumns = 384

  /// True where a product is to be computed so.
  static func suit(m: Int, n: Int, k: Int, _ a: MatrixOperand) -> Bool {
    guard k > 0, a.dtype == .float32, !a.isTransposed else { return false }
    return m == 1 || m <= mostRows && n * k >= smallCount
  }

  /// `c = alpha a op(b) + beta addend`. An element's terms are summed in one order, whatever the rows beside it and the pieces.
  static func multiply(
    m: Int, n: Int, k: Int, _ alpha: Float, _ a: MatrixOperand, _ b: MatrixOperand, _ beta: Float, _ addend: UnsafePointer<Float>,
    _ c: UnsafeMutablePointer<Float>, _ stride: Int
  ) {
    let x = a.base.assumingMemoryBound(to: Float.self)
    parallel(over: n, grain: grain(n: n, k: k, b)) { columns in
      withUnsafePointer(to: b.matrix) { matrix in
        graft_multiply_few_rows(
          x, m, a.stride, matrix, columns.lowerBound, columns.count, k, alpha, beta, addend + columns.lowerBound, c + columns.lowerBound, stride)
      }
    }
  }

  /// `c = alpha a op(b) + beta c` on the calling thread.
  static func multiplySerially(
    m: Int, n: Int, k: Int, alpha: Float = 1, _ a: MatrixOperand, _ b: MatrixOperand, beta: Float, _ c: UnsafeMutablePointer<Float>, stride: Int
  ) {
    withUnsafePointer(to: b.matrix) { matrix in
      graft_multiply_few_rows(a.base.assumingMemoryBound(to: Float.self), m, a.stride, matrix, 0, n, k, alpha, beta, c, c, stride)
    }
  }

  /// The number of columns that a task computes.
  static func grain(n: Int, k: Int, _ b: MatrixOperand) -> Int {
    guard n * k >= smallCount else { return n }
    let share = n / (8 * Threads.count)
    // Of rows that are long, memory hands out long pieces faster.
    guard b.isTransposed else { return share >= 2 * narrowColumns ? wideColumns : narrowColumns }
    let step = 4
    return max(step, (min(share, smallCount / 2 / k) + step - 1) / step * step)
  }
}
