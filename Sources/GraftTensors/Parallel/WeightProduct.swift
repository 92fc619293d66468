/// The second operand of a product, as a weight stores it.
package enum WeightOperand {
  case elements(MatrixOperand)
  case blocks(any BlockMatrix, isTransposed: Bool)
}

/// The same with a weight as the second operand; blocks are decoded a slab of columns at a time, so that no copy of the matrix exists.
package func multiplyMatrices(
  m: Int, n: Int, k: Int, alpha: Float = 1, _ a: MatrixOperand, _ b: WeightOperand, beta: Float, _ c: UnsafeMutablePointer<Float>, stride: Int,
  addend: UnsafePointer<Float>? = nil
) {
  switch b {
  case .elements(let b): multiplyMatrices(m: m, n: n, k: k, alpha: alpha, a, b, beta: beta, c, stride: stride, addend: addend)
  case .blocks(let matrix, let isTransposed):
    precondition(matrix.shape == (isTransposed ? [n, k] : [k, n]), "blocks \(matrix.shape) for a product [\(m), \(k)] [\(k), \(n)]")
    let slab = slabColumns(terms: k)
    for first in Swift.stride(from: 0, to: n, by: slab) {
      let columns = first..<min(n, first + slab)
      let part = isTransposed ? matrix.decoded(rows: columns) : matrix.decoded(rows: 0..<k, columns: columns)
      withExtendedLifetime(part) {
        multiplyMatrices(
          m: m, n: columns.count, k: k, alpha: alpha, a, part.operand(transposed: isTransposed), beta: beta, c + first, stride: stride,
          addend: addend.map { $0 + first })
      }
    }
  }
}

/// The elements of the longest block: a whole number of blocks of every format.
let longestBlock = 256

/// The columns that are decoded at a time: about 4 MiB of float32, and whole blocks of every format.
private func slabColumns(terms: Int) -> Int {
  return max(1, (1 << 20) / max(1, terms) / longestBlock) * longestBlock
}
