import GraftTensors

/// A linear map that every expert of a layer has a matrix of: from the hidden size to the intermediate one, or back.
///
/// A checkpoint holds the experts' matrices one by one, or fused in one tensor. Transformers fuses them all in memory, gates and ups side
/// by side, and PEFT names the fused parameters; so the projection has that name, and its experts' layers have their own.
public final class ExpertProjection {
  /// The matrices of all experts.
  public enum Weights {
    /// Layers without biases, `[part][expert]`: their outputs stand side by side in the fused parameter.
    case layers([[Linear]])
    /// `[experts, out, in]` or, as `layout` says, `[experts, in, out]`, with a bias `[experts, out]` where there is one.
    case fused(Parameter, bias: Parameter?, layout: WeightLayout)
  }

  /// The path of the fused parameter in Transformers, such as `model.layers.0.mlp.experts.gate_up_proj`.
  public let path: String
  /// The matrices of all experts.
  public let weights: Weights
  /// The number of experts.
  public let expertCount: Int
  /// The adapter in the projection's slot.
  public var adapter: (any ExpertAdapter)?

  /// - Parameter scope: that of the fused parameter, whose name is the scope's last component.
  public init(_ scope: Scope, _ weights: Weights) {
    path = scope.path
    self.weights = weights
    switch weights {
    case .layers(let parts):
      expertCount = parts[0].count
      precondition(parts.allSatisfy { $0.allSatisfy { $0.bias == nil } }, "\(path): experts' layers with biases, which their product leaves out")
    case .fused(let matrices, _, _): expertCount = matrices.shape[0]
    }
    scope.catalog.add(Site(path: path, role: nil, module: .experts(self)))
  }

  /// The columns of the input.
  public var inputSize: Int {
    switch weights {
    case .layers(let parts): parts[0][0].inputSize
    case .fused(let matrices, _, let layout): matrices.shape[layout == .outputByInput ? 2 : 1]
    }
  }

  /// The columns of each part of the output.
  public var outputSizes: [Int] {
    switch weights {
    case .layers(let parts): parts.map { $0[0].outputSize }
    case .fused(let matrices, _, let layout): [matrices.shape[layout == .outputByInput ? 1 : 2]]
    }
  }

  /// - Parameter x: `[rows, in]`, sorted by expert.
  /// - Returns: `[rows, out]` for each part.
  func callAsFunction(_ x: Tensor, _ routing: ExpertRouting, _ pass: Pass) -> [Tensor] {
    let outputs =
      switch weights {
      case .layers(let parts): parts.map { product(of: $0, x, routing, pass) }
      case .fused(let matrices, let bias, let layout):
        [expertLinear(x, matrices.experts, bias: bias?.operand, routing, layout: layout)]
      }
    return adapter?(x, addingTo: outputs, of: self, routing, pass) ?? outputs
  }

  /// The output of one layer of every expert for the expert's rows: all together, but for adapters that compute in another way.
  private func product(of layers: [Linear], _ x: Tensor, _ routing: ExpertRouting, _ pass: Pass) -> Tensor {
    func plain() -> Tensor { expertLinear(x, .separate(layers.map(\.weight.matrix)), routing) }
    let adapters = layers.map(\.adapter)
    guard adapters.contains(where: { $0 != nil }) else { return plain() }
    let terms = adapters.map { $0?.lowRankTerm }
    guard zip(adapters, terms).allSatisfy({ ($0 == nil) == ($1 == nil) }), let first = terms.lazy.compactMap({ $0 }).first,
      terms.allSatisfy({ $0.map { $0.a.shape == first.a.shape && $0.scale == first.scale && $0.dropout == first.dropout } ?? true })
    else { return oneByOne(layers, x, routing, pass) }
    let low = expertLinear(pass.dropout(x, first.dropout, at: layers[0].path), .separate(terms.map { $0.map { .dense($0.a) } }), routing)
    return expertLinear(low, .separate(terms.map { $0.map { .dense($0.b) } }), routing, scale: first.scale, addingTo: plain())
  }

  private func oneByOne(_ layers: [Linear], _ x: Tensor, _ routing: ExpertRouting, _ pass: Pass) -> Tensor {
    let parts = layers.indices.filter { !routing.rows(of: $0).isEmpty }.map { layers[$0](x.rows(routing.rows(of: $0)), pass) }
    return parts.isEmpty ? .zeros([0, layers[0].outputSize]) : concatenateRows(parts)
  }
}

extension Parameter {
  /// The matrices of all experts, in one tensor or in blocks.
  fileprivate var experts: ExpertMatrices {
    guard case .blocks(let blocks as StackedBlocks) = matrix else { return .fused(operand) }
    return .separate(blocks.matrices.map { .blocks($0) })
  }
}
