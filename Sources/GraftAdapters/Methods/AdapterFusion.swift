import GraftLayers
import GraftTensors

/// The attention that fuses the outputs of several bottlenecks at one place: `Σ pᵢ V uᵢ + r`, `p = softmax(Q z · K uᵢ)`.
///
/// Pfeiffer et al. 2021, "AdapterFusion", section 3.2; names and initial values are AdapterHub's.
struct FusionLayer {
  private struct Projection {
    let weight: Parameter, bias: Parameter?

    func callAsFunction(_ x: Tensor) -> Tensor { linear(x, weight.operand, bias: bias?.operand) }
  }

  private let query: Projection, key: Projection
  private let value: Projection?
  private let dropout: Float

  /// The layer whose matrices are in `scope`.
  init(_ scope: Scope, width: Int, hasValues: Bool, dropout: Float, isFresh: Bool) throws {
    func projection(_ name: String, hasBias: Bool) throws -> Projection {
      let scope = scope / name
      return Projection(
        weight: try scope.parameter("weight", [width, width], .normal(standardDeviation: 0.02)),
        bias: hasBias ? try scope.parameter("bias", [width], .zeros) : nil)
    }
    query = try projection("query", hasBias: true)
    key = try projection("key", hasBias: true)
    value = hasValues ? try projection("value", hasBias: false) : nil
    self.dropout = dropout
    if isFresh, let value { value.weight.assign(Tensor((0..<width * width).map { $0 % (width + 1) == 0 ? 1 : 1e-6 }, [width, width])) }
  }

  /// - Parameters:
  ///   - z: `[rows, hidden]`, what the bottlenecks read.
  ///   - outputs: `[rows, hidden]` each, what they add.
  /// - Returns: `[rows, hidden]`, what they add together.
  func callAsFunction(_ z: Tensor, _ outputs: [Tensor], _ pass: Pass) -> Tensor {
    let asked = query(z)
    let ones = Tensor(repeating: 1, shape: [1, z.shape.columns])
    let scores = concatenateRows(outputs.map { linear(asked * key($0), ones).transposed }).transposed
    let shares = softmax(pass.dropout(scores, dropout, at: query.weight.path))
    return outputs.indices.map { scaleRows(value?(outputs[$0]) ?? outputs[$0], by: shares.columns($0..<$0 + 1)) }.reduceSum()
  }

  /// `0.01 |V - 1|²`, which keeps values near what the bottlenecks computed; nil without values.
  var penalty: Tensor? {
    guard let value else { return nil }
    let difference = value.weight.operand - Tensor.identity(value.weight.shape[0])
    return 0.01 * sum(difference * difference)
  }
}

/// The penalty of several fusion layers while they are trained.
final class FusionPenalty: TrainingSchedule {
  private let layers: [FusionLayer]

  init(_ layers: [FusionLayer]) { self.layers = layers }

  func penalty() -> Tensor? {
    let all = layers.compactMap(\.penalty)
    return all.isEmpty ? nil : all.reduceSum()
  }
}

extension [Tensor] {
  /// The sum of at least one tensor.
  fileprivate func reduceSum() -> Tensor { dropFirst().reduce(self[0]) { $0 + $1 } }
}
