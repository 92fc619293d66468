import GraftLayers
import GraftTensors

/// The search for intruder dimensions: leading singular vectors of an adapted weight that resemble none of the base's, a sign of what is
/// forgotten (Shuttleworth et al. 2024, "LoRA vs full fine-tuning: an illusion of equivalence", section 3).
public struct IntruderSearch: Sendable, Hashable {
  /// The number of leading left singular vectors that are looked at.
  public var top: Int
  /// The cosine below which a vector resembles none.
  public var threshold: Double

  /// The search, with PEFT's defaults.
  public init(top: Int = 10, threshold: Double = 0.5) { (self.top, self.threshold) = (top, threshold) }

  /// The number of intruders of an adapted weight.
  /// - Parameters: both `[out, in]`.
  public func count(in adapted: Tensor, over base: Tensor) -> Int {
    let known = Self.leftVectors(of: base)
    let new = Self.leftVectors(of: adapted)
    let cosines = matrixProduct(new.rows(0..<min(top, new.shape[0])), known, transposingSecond: true)
    return (0..<cosines.shape[0]).count { row in
      cosines.rows(row..<row + 1).values.allSatisfy { Double(abs($0)) < threshold }
    }
  }

  /// The left singular vectors, one a row, those of the largest values first: `[min(out, in), out]`.
  private static func leftVectors(of weight: Tensor) -> Tensor {
    let (outputs, inputs) = (weight.shape[0], weight.shape[1])
    let isTall = outputs > inputs
    let rows = isTall ? weight.transposed : weight
    let gram = matrixProduct(rows, rows, transposingSecond: true)
    let count = gram.shape[0]
    let values = gram.values.map(Double.init)
    let eigen = SymmetricEigenvectors(of: (0..<count).map { Array(values[$0 * count..<($0 + 1) * count]) })
    let vectors = Tensor(eigen.vectors.flatMap { $0.map(Float.init) }, [count, count])
    // Right vectors of a tall weight become left ones by going through it.
    guard isTall else { return vectors }
    let images = matrixProduct(vectors, rows)
    let lengths = (0..<count).map { Float(max(images.rows($0..<$0 + 1).sumOfSquares, 1e-30).squareRoot()) }
    return scaleRows(images, by: Tensor(lengths.map { 1 / $0 }))
  }
}

extension Delta {
  /// The number of intruders at each linear layer that the delta adapts and that can be merged, by its path.
  ///
  /// Every weight is decomposed whole, twice, which takes minutes for large ones.
  public func intruders(_ search: IntruderSearch = IntruderSearch()) -> [String: Int] {
    var result: [String: Int] = [:]
    for case .linear(let layer, let adapter) in changes.seams {
      let parameters = [layer.weight, layer.bias].compactMap(\.self)
      let kept = parameters.map(\.stored)
      let base = parameters[0].dense()
      parameters[0].assign(base)
      defer { for (parameter, weight) in zip(parameters, kept) { parameter.assign(weight) } }
      guard (try? adapter.merge(into: layer)) != nil else { continue }
      let adapted = layer.weight.value
      let isTurned = layer.layout == .inputByOutput
      result[layer.path] = search.count(in: isTurned ? adapted.transposed : adapted, over: isTurned ? base.transposed : base)
    }
    return result
  }
}
