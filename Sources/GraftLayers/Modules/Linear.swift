import GraftTensors

/// `y = x Wᵀ + b`, with an empty slot for an adapter.
public final class Linear {
  /// The module's path, such as `model.layers.0.self_attn.q_proj`.
  public let path: String
  /// `[out, in]`, or `[in, out]` where `layout` says so.
  public internal(set) var weight: Parameter
  /// `[out]`.
  public let bias: Parameter?
  /// The order of the weight's axes.
  public let layout: WeightLayout
  /// The purpose of the layer; nil where methods do not ask for it.
  public let role: Role?
  /// The adapter in the layer's slot.
  public var adapter: (any LinearAdapter)?
  /// The adapter of the place where the output joins the residual stream, where this is the last layer of half a block.
  public var residualAdapter: (any ResidualAdapter)?

  /// True where the matrix is the layer's own, rather than another module's.
  public var ownsWeight: Bool { weight.path == path + ".weight" }

  /// The columns of the input.
  public var inputSize: Int { layout == .outputByInput ? weight.shape[1] : weight.shape[0] }
  /// The columns of the output.
  public var outputSize: Int { layout == .outputByInput ? weight.shape[0] : weight.shape[1] }

  /// True where the matrix is quantized with the model's, as all are in Transformers but heads, fresh layers and routers.
  public let isQuantizable: Bool
  private static let exactRoles: [Role?] = [.languageModelHead, .classifier, .router]

  /// The layer whose weights are called `weight` and `bias` in `scope`.
  /// - Throws: as `Scope.parameter` does.
  public init(
    _ scope: Scope, in inputs: Int, out outputs: Int, bias hasBias: Bool = false, role: Role? = nil, layout: WeightLayout = .outputByInput,
    initializer: Initializer = .normal(standardDeviation: 0.02), biasInitializer: @autoclosure () -> Initializer = .zeros,
    fallsBack: Bool = false
  ) throws {
    path = scope.path
    let shape: Shape = layout == .outputByInput ? [outputs, inputs] : [inputs, outputs]
    isQuantizable = !fallsBack && !Self.exactRoles.contains(role)
    weight = try scope.matrix("weight", shape, layout, initializer, isQuantized: isQuantizable, fallsBack: fallsBack)
    bias = hasBias ? try scope.parameter("bias", [outputs], biasInitializer(), fallsBack: fallsBack) : nil
    self.layout = layout
    self.role = role
    scope.catalog.add(Site(path: path, role: role, module: .linear(self)))
  }

  /// The layer that uses another's matrix, as a tied head uses the embedding's.
  public init(_ scope: Scope, sharing weight: Parameter, bias: Parameter? = nil, role: Role?) {
    path = scope.path
    self.weight = weight
    self.bias = bias
    layout = .outputByInput
    isQuantizable = false
    self.role = role
    scope.catalog.add(Site(path: path, role: role, module: .linear(self)))
  }

  /// - Parameters:
  ///   - x: `[rows, in]`.
  ///   - base: `[rows, out]`, added to the result.
  /// - Returns: `[rows, out]`.
  public func callAsFunction(_ x: Tensor, _ pass: Pass, addingTo base: consuming Tensor? = nil) -> Tensor {
    guard let adapter else { return plain(x, addingTo: base) }
    let y = adapter(x, through: self, pass)
    return base.map { $0 + y } ?? y
  }

  /// `residual + dropout(layer(x))`: how half a block ends.
  /// - Parameters:
  ///   - x: `[rows, in]`.
  ///   - residual: `[rows, out]`.
  /// - Returns: `[rows, out]`.
  public func callAsFunction(_ x: Tensor, joining residual: consuming Tensor?, dropout: Float, _ pass: Pass) -> Tensor {
    guard residualAdapter != nil || pass.isTraining && dropout > 0 else { return self(x, pass, addingTo: residual) }
    let y = pass.dropout(self(x, pass), dropout, at: path)
    guard let residual else { return y }
    return residualAdapter?(y, joining: residual, pass) ?? residual + y
  }

  /// The layer without its adapter.
  public func plain(_ x: Tensor, addingTo base: consuming Tensor? = nil) -> Tensor {
    linear(x, weight.matrix, bias: bias?.operand, layout: layout, addingTo: base)
  }
}
