import GraftTensors

/// A change of the gradients of two factors `A [r, in]` and `B [out, r]` by each other's size, before an update rule sees them:
/// `(Bᵀ B + δ I)⁻¹ g_A` and `c g_B (A Aᵀ + δ I)⁻¹`.
///
/// With `c = 1` it is the Riemannian preconditioner (Zhang and Pilanci 2024, eq. 3); with `A` frozen and `c = 1 / s²`, for a product that
/// is scaled by `s`, LoRA-FA's projection of the gradient of the whole matrix (Zhang et al. 2023, "LoRA-FA").
public struct LowRankPreconditioner {
  /// Two factors of one product.
  public struct Pair {
    /// `[r, in]` and `[out, r]`.
    public let a: Parameter, b: Parameter
    /// Multiplied into the second factor's gradient.
    public let factor: Double

    /// - Parameters:
    ///   - a: `[r, in]`, trained or not.
    ///   - b: `[out, r]`.
    ///   - factor: multiplied into the second factor's gradient.
    public init(a: Parameter, b: Parameter, factor: Double = 1) { (self.a, self.b, self.factor) = (a, b, factor) }
  }

  private let pairs: [Pair]
  private let damping: Double

  /// - Parameter damping: added to the diagonal of the small matrices, above 0.
  public init(_ pairs: [Pair], damping: Double) { (self.pairs, self.damping) = (pairs, damping) }

  /// The gradients that are changed, all from the factors as they stand.
  func changed(_ gradients: borrowing Gradients) -> [ObjectIdentifier: Tensor] {
    var result: [ObjectIdentifier: Tensor] = [:]
    for pair in pairs {
      if let gradient = gradients[pair.a] {
        let columns = pair.b.value.transposed
        result[ObjectIdentifier(pair.a)] = matrixProduct(inverse(matrixProduct(columns, columns, transposingSecond: true)), gradient)
      }
      if let gradient = gradients[pair.b] {
        let product = matrixProduct(gradient, inverse(matrixProduct(pair.a.value, pair.a.value, transposingSecond: true)))
        result[ObjectIdentifier(pair.b)] = Float(pair.factor) * product
      }
    }
    return result
  }

  /// `(G + δ I)⁻¹` of a symmetric matrix without negative eigenvalues, by Gauss and Jordan's elimination.
  private func inverse(_ gram: Tensor) -> Tensor {
    let count = gram.shape[0]
    var rows = gram.values.map(Double.init)
    var inverse = [Double](repeating: 0, count: count * count)
    for index in 0..<count {
      rows[index * count + index] += damping
      inverse[index * count + index] = 1
    }
    for pivot in 0..<count {
      let scale = 1 / max(rows[pivot * count + pivot], 1e-30)
      for column in 0..<count {
        rows[pivot * count + column] *= scale
        inverse[pivot * count + column] *= scale
      }
      for row in 0..<count where row != pivot {
        let factor = rows[row * count + pivot]
        for column in 0..<count {
          rows[row * count + column] -= factor * rows[pivot * count + column]
          inverse[row * count + column] -= factor * inverse[pivot * count + column]
        }
      }
    }
    return Tensor(inverse.map(Float.init), [count, count])
  }
}
