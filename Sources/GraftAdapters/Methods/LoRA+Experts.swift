import GraftLayers
import GraftTensors

/// `s B_e A_e x` beside a projection that every expert `e` has, in PEFT's layout for fused parameters.
///
/// Rows of `A` are expert by expert, and columns of `B` hold the experts in turn.
final class LowRankExpertAdapter: ExpertAdapter {
  /// `[experts * r, in]`.
  let a: Parameter
  /// `[out, r * experts]`.
  let b: Parameter
  let scale: Float

  init(a: Parameter, b: Parameter, scale: Float) {
    self.a = a
    self.b = b
    self.scale = scale
  }

  /// `[experts, r, in]`.
  private func first(_ a: Tensor, _ experts: Int) -> Tensor { a.reshaped(to: [experts, a.shape[0] / experts, a.shape[1]]) }

  func callAsFunction(_ x: Tensor, addingTo outputs: [Tensor], of base: ExpertProjection, _ routing: ExpertRouting, _ pass: Pass) -> [Tensor] {
    let experts = base.expertCount
    let low = expertLinear(x, .fused(first(a.operand, experts)), routing)
    let b = b.operand
    var start = 0
    return outputs.map { output in
      let rows = start..<start + output.shape.columns
      start = rows.upperBound
      return expertLinear(low, .fused(expertFactors(b.rows(rows), experts: experts)), routing, scale: scale, addingTo: output)
    }
  }

  /// The change of one expert's matrix, `[out, in]`.
  private func change(of expert: Int, in base: ExpertProjection) -> Tensor {
    let a = first(a.value, base.expertCount)
    let b = expertFactors(b.value, experts: base.expertCount)
    func matrix(_ all: Tensor) -> Tensor { all.rows(expert..<expert + 1).reshaped(to: [all.shape[1], all.shape[2]]) }
    return linear(matrix(b), matrix(a), layout: .inputByOutput, scale: scale)
  }

  func merge(into base: ExpertProjection) throws(TuningError) {
    switch base.weights {
    case .layers(let parts):
      for expert in 0..<base.expertCount {
        let change = change(of: expert, in: base)
        var start = 0
        for layers in parts {
          let rows = start..<start + layers[expert].outputSize
          start = rows.upperBound
          try layers[expert].merge { $0 + change.rows(rows) }
        }
      }
    case .fused(let matrices, _, let layout):
      let changes = (0..<base.expertCount).map { expert -> Tensor in
        let change = change(of: expert, in: base)
        return layout == .outputByInput ? change : change.transposed
      }
      let sum = matrices.dense() + concatenateRows(changes).reshaped(to: matrices.shape)
      guard sum.firstNonFiniteIndex == nil else { throw TuningError("\(base.path): merging makes a weight that is not finite") }
      try matrices.replace(with: sum)
    }
  }
}

extension LoRA {
  /// The method with its targets named; with no modules where it names parameters alone, since other programs would add the family's default modules otherwise.
  public func completed(for sites: SiteCatalog, holding stored: [String]?) throws -> LoRA {
    var method = try namingTargets(in: sites, holding: stored)
    if method.targetModules == nil, targetParameters?.isEmpty == false { method.targetModules = .names([]) }
    return method
  }

  /// The projections of experts that `target_parameters` names.
  func experts(in sites: SiteCatalog) -> [ExpertProjection] {
    sites.sites.compactMap(\.experts).filter { projection in
      (targetParameters ?? []).contains { ModuleSelection.matches(projection.path, name: $0) }
    }
  }

  /// Adapts projections of experts as PEFT does: of the parameters of one module, the last has its factors at the module's own path, and
  /// each before it at one more `base_layer` below.
  func attach(to projections: [ExpertProjection], in attachment: Attachment) throws {
    for (index, projection) in projections.enumerated() {
      let module = projection.module
      let depth = projections[(index + 1)...].filter { $0.module == module }.count
      let scope = (0..<depth).reduce(attachment.scope / module) { scope, _ in scope / "base_layer" }
      let (rank, scale) = try factors(for: projection.path)
      let experts = projection.expertCount
      guard !initLoraWeights.changesBase else {
        throw TuningError("init_lora_weights: pissa, olora and loftq cannot be combined with \(projection.path); name true or gaussian")
      }
      let initial = initLoraWeights.initializers(inputs: projection.inputSize, outputs: projection.outputSizes.reduce(0, +), rank: rank)
      try attachment.fill(
        projection,
        with: LowRankExpertAdapter(
          a: try (scope / "lora_A").parameter("weight", [experts * rank, projection.inputSize], initial.a),
          b: try (scope / "lora_B").parameter("weight", [projection.outputSizes.reduce(0, +), rank * experts], initial.b), scale: scale))
    }
  }
}

extension ExpertProjection {
  /// The path of the module whose parameter it is.
  fileprivate var module: String { path.split(separator: ".").dropLast().joined(separator: ".") }
}
