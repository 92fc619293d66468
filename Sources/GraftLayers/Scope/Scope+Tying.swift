import GraftTensors

/// Tensors that one stands for another of, as Transformers 5 ties them: by what the checkpoint holds.
///
/// A checkpoint that holds one of the two holds it for both. Where it holds both and they differ, they are not tied,
/// whatever its configuration says.
extension Scope {
  /// Lets the source's tensor at either path stand for the other where that is missing.
  /// - Parameters: full paths of parameters.
  public func tie(_ target: String, to origin: String) {
    construction.tied[target, default: []].append(origin)
    construction.tied[origin, default: []].append(target)
  }

  /// Returns true where the source holds both tensors and they differ.
  /// - Throws: what the source throws.
  public func areDifferent(_ target: String, _ origin: String) throws -> Bool {
    guard let source = construction.source, let first = ownName(of: target), let second = ownName(of: origin), first != second else { return false }
    construction.consumed.formUnion([first, second])
    return try !source.tensor(first).hasSameValues(as: source.tensor(second))
  }
}

extension Tensor {
  /// Returns true where the other has the same shape and, as numbers, the same values.
  package func hasSameValues(as other: Tensor) -> Bool {
    guard shape == other.shape else { return false }
    let matrix: Shape = [shape.rows, shape.columns]
    let rows = reshaped(to: matrix)
    let others = other.reshaped(to: matrix)
    return (0..<matrix[0]).allSatisfy { rows.rows($0..<$0 + 1).values == others.rows($0..<$0 + 1).values }
  }
}
