import COpenBLAS
import CKernels

/// A matrix operand: row-major elements with a distance between rows, in any floating-point type.
package struct MatrixOperand {
  var base: UnsafeRawPointer
  var dtype: DType
  var stride: Int
  var isTransposed: Bool

  package init(_ base: UnsafeRawPointer, dtype: DType = .float32, stride: Int, transposed: Bool = false) {
    self.base = base
    self.dtype = dtype
    self.stride = stride
    isTransposed = transposed
  }
}

/// `c = alpha op(a) op(b) + beta c`, with op(a) [m, k], op(b) [k, n] and c [m, n].
///
/// The product is cut along its longer side into pieces whose number depends on the shape alone, each one call of a
/// single-threaded GEMM: the same bits on any number of threads. A 16-bit operand is converted piece by piece.
package func multiplyMatrices(
  m: Int, n: Int, k: Int, alpha: Float = 1, _ a: MatrixOperand, _ b: MatrixOperand, beta: Float, _ c: UnsafeMutablePointer<Float>, stride: Int
) {
  guard m > 0, n > 0 else { return }
  LinearAlgebraBackend.prepare
  if a.dtype != .float32 {
    let whole = WidenedOperand(a, rows: a.isTransposed ? k : m, columns: a.isTransposed ? m : k)
    return withExtendedLifetime(whole) {
      multiplyMatrices(m: m, n: n, k: k, alpha: alpha, whole.operand, b, beta: beta, c, stride: stride)
    }
  }
  let byColumns = b.dtype != .float32 || n > m
  let length = byColumns ? n : m
  let piece = pieceLength(length, work: 2 * m * n * k)
  parallel(over: length, grain: piece) { range in
    if byColumns {
      var part = b
      part.base += range.lowerBound * (b.isTransposed ? b.stride : 1) * b.dtype.byteWidth
      if b.dtype == .float32 {
        sgemm(m, range.count, k, alpha, a, part, beta, c + range.lowerBound, stride)
      } else {
        let widened = WidenedOperand(part, rows: b.isTransposed ? range.count : k, columns: b.isTransposed ? k : range.count)
        withExtendedLifetime(widened) {
          sgemm(m, range.count, k, alpha, a, widened.operand, beta, c + range.lowerBound, stride)
        }
      }
    } else {
      var part = a
      part.base += range.lowerBound * (a.isTransposed ? 1 : a.stride) * a.dtype.byteWidth
      sgemm(range.count, n, k, alpha, part, b, beta, c + range.lowerBound * stride, stride)
    }
  }
}

/// One call of the BLAS on the calling thread; a single row is a matrix-vector product, which packs nothing.
package func sgemm(
  _ m: Int, _ n: Int, _ k: Int, _ alpha: Float, _ a: MatrixOperand, _ b: MatrixOperand, _ beta: Float, _ c: UnsafeMutablePointer<Float>, _ stride: Int
) {
  if m == 1 && !a.isTransposed {
    cblas_sgemv(
      CblasRowMajor, b.isTransposed ? CblasNoTrans : CblasTrans, blasint(b.isTransposed ? n : k), blasint(b.isTransposed ? k : n), alpha,
      b.base.assumingMemoryBound(to: Float.self), blasint(max(1, b.stride)), a.base.assumingMemoryBound(to: Float.self), 1, beta, c, 1)
    return
  }
  cblas_sgemm(
    CblasRowMajor, a.isTransposed ? CblasTrans : CblasNoTrans, b.isTransposed ? CblasTrans : CblasNoTrans,
    blasint(m), blasint(n), blasint(k), alpha,
    a.base.assumingMemoryBound(to: Float.self), blasint(max(1, a.stride)),
    b.base.assumingMemoryBound(to: Float.self), blasint(max(1, b.stride)), beta, c, blasint(max(1, stride)))
}

/// The length of a piece: enough work to be worth a task, and long enough that the operand which every piece packs
/// anew costs little beside the product.
private func pieceLength(_ length: Int, work: Int) -> Int {
  let pieces = max(1, min(16, work >> 21, length / 64))
  return ((length + pieces - 1) / pieces + 15) & ~15
}

/// A 16-bit matrix as float32, in memory of its own.
private final class WidenedOperand {
  let operand: MatrixOperand
  private let storage: Storage

  init(_ source: MatrixOperand, rows: Int, columns: Int) {
    storage = Storage(byteCount: rows * columns * DType.float32.byteWidth)
    for row in 0..<rows {
      convert(
        storage.base + row * columns * DType.float32.byteWidth, .float32, source.base + row * source.stride * source.dtype.byteWidth, source.dtype,
        columns)
    }
    operand = MatrixOperand(storage.base, stride: columns, transposed: source.isTransposed)
  }
}
