import CKernels
import COpenBLAS

/// The product by the BLAS, cut along its longer side; a 16-bit operand is converted piece by piece.
func multiplyInPieces(
  m: Int, n: Int, k: Int, _ alpha: Float, _ a: MatrixOperand, _ b: MatrixOperand, _ beta: Float, _ c: UnsafeMutablePointer<Float>, _ stride: Int
) {
  if a.dtype != .float32 {
    let whole = WidenedOperand(a, rows: m, columns: k)
    return withExtendedLifetime(whole) { multiplyInPieces(m: m, n: n, k: k, alpha, whole.operand, b, beta, c, stride) }
  }
  let byColumns = b.dtype != .float32 || n > m
  let length = byColumns ? n : m
  // Long enough that the operand which every piece packs anew costs little beside the product.
  let pieces = max(1, min(16, (2 * m * n * k) >> 21, length / 64))
  parallel(over: length, grain: ((length + pieces - 1) / pieces + 15) & ~15) { range in
    if byColumns {
      var part = b
      part.base += b.dtype.bytes(for: range.lowerBound * (b.isTransposed ? b.stride : 1))
      if b.dtype == .float32 {
        sgemm(m, range.count, k, alpha, a, part, beta, c + range.lowerBound, stride)
      } else {
        let widened = WidenedOperand(part, rows: k, columns: range.count)
        withExtendedLifetime(widened) {
          sgemm(m, range.count, k, alpha, a, widened.operand, beta, c + range.lowerBound, stride)
        }
      }
    } else {
      var part = a
      part.base += a.dtype.bytes(for: range.lowerBound * (a.isTransposed ? 1 : a.stride))
      sgemm(range.count, n, k, alpha, part, b, beta, c + range.lowerBound * stride, stride)
    }
  }
}

/// One call of the BLAS on the calling thread; a single row is a matrix-vector product, which packs nothing.
func sgemm(
  _ m: Int, _ n: Int, _ k: Int, _ alpha: Float, _ a: MatrixOperand, _ b: MatrixOperand, _ beta: Float, _ c: UnsafeMutablePointer<Float>, _ stride: Int
) {
  LinearAlgebraBackend.prepare
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

/// A matrix as float32, in memory of its own.
final class WidenedOperand {
  let operand: MatrixOperand
  private let storage: Storage

  /// - Parameters:
  ///   - rows: the rows of the operand as it is multiplied.
  ///   - format: one that elements are rounded to on the way.
  init(_ source: MatrixOperand, rows: Int, columns: Int, through format: ElementFormat? = nil) {
    let (lines, length) = source.isTransposed ? (columns, rows) : (rows, columns)
    let storage = Storage(byteCount: ElementFormat.float32.bytes(for: lines * length))
    let base = storage.base
    for line in 0..<lines where MemoryCount.current == nil {
      let out = base + ElementFormat.float32.bytes(for: line * length)
      let from = source.base + source.dtype.bytes(for: line * source.stride)
      let values = out.assumingMemoryBound(to: Float.self)
      if let format, source.dtype == .float32 {
        graft_round(values, from.assumingMemoryBound(to: Float.self), format.kernelType, length)
      } else {
        convert(out, .float32, from, source.dtype, length)
        if let format, format != source.dtype { graft_round(values, values, format.kernelType, length) }
      }
    }
    self.storage = storage
    operand = MatrixOperand(base, stride: length, transposed: source.isTransposed, rounding: source.rounding)
  }
}
