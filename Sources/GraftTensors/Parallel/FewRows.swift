import CKernels

/// Products of a few rows with a large matrix, as decoding makes them: the speed of memory is their limit, so that the matrix is
/// read once, where it lies and as it is stored.
enum FewRows {
  /// The most rows for which reading the matrix where it lies is faster than packing it.
  private static let mostRows = 8
  /// Floats of a matrix that is packed at little cost, and that a task is worth its start for.
  private static let smallCount = 1 << 16
  /// Elements that a task reads where there are enough: of long pieces memory hands out more in a second than of short ones.
  private static let longCount = 1 << 18
  /// The most chunks that a sum is cut into: of more, the partial sums would take a good part of the matrix's own memory.
  private static let mostChunks = 64
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
    if !b.isTransposed, n * k >= longCount { return multiplyInChunks(m: m, n: n, k: k, alpha, a, b, beta, addend, c, stride) }
    let x = a.base.assumingMemoryBound(to: Float.self)
    parallel(over: n, grain: grain(n: n, k: k, b)) { columns in
      withUnsafePointer(to: b.matrix) { matrix in
        graft_multiply_few_rows(
          x, m, a.stride, matrix, columns.lowerBound, columns.count, k, alpha, beta, addend + columns.lowerBound, c + columns.lowerBound, stride)
      }
    }
  }

  /// The same of a matrix whose terms lie one behind the other: chunks of terms are memory from end to end. How many there are is
  /// the matrix's alone, so that sums repeat to the bit; on many threads several share the columns of a chunk.
  private static func multiplyInChunks(
    m: Int, n: Int, k: Int, _ alpha: Float, _ a: MatrixOperand, _ b: MatrixOperand, _ beta: Float, _ addend: UnsafePointer<Float>,
    _ c: UnsafeMutablePointer<Float>, _ stride: Int
  ) {
    let x = a.base.assumingMemoryBound(to: Float.self)
    // An even number, for two threads.
    let most = min(mostChunks, 2 * (n * k / longCount))
    let depth = (k + most - 1) / most
    let chunks = (k + depth - 1) / depth
    let parts = Tensor(uninitialized: [chunks * m, n])
    let sums = parts.mutablePointer
    let pieces = max(1, 2 * Threads.count / chunks)
    let width = ((n + pieces - 1) / pieces + narrowColumns - 1) / narrowColumns * narrowColumns
    parallel(chunks * pieces) { index in
      let (terms, first) = (index / pieces * depth..<min(k, (index / pieces + 1) * depth), index % pieces * width)
      guard first < n else { return }
      let out = sums + index / pieces * m * n + first
      withUnsafePointer(to: b.from(row: terms.lowerBound, column: 0).matrix) { matrix in
        graft_multiply_few_rows(x + terms.lowerBound, m, a.stride, matrix, first, min(width, n - first), terms.count, 1, 0, out, out, n)
      }
    }
    for chunk in 1..<chunks { graft_accumulate(sums, sums + chunk * m * n, m * n) }
    for row in 0..<m {
      let (line, out) = (sums + row * n, c + row * stride)
      if beta == 0 {
        graft_scale(out, line, alpha, n)
      } else {
        if alpha != 1 { graft_scale(line, line, alpha, n) }
        graft_accumulate_scaled(line, addend + row * stride, beta, n)
        out.update(from: line, count: n)
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
    let share = n / (4 * Threads.count)
    guard b.isTransposed else { return share >= wideColumns ? wideColumns : narrowColumns }
    let step = 4
    return max(step, (min(share, longCount / k) + step - 1) / step * step)
  }
}
