import GraftLayers
import GraftTensors

extension BottleneckAdapter {
  /// The parts of an adapter with the layers that they belong to.
  /// - Parameter name: the adapter's, where it is one of several whose tensors stand side by side.
  /// - Throws: `TuningError` where the configuration does not fit, and what the scope throws.
  func parts(
    of sites: SiteCatalog, _ settings: Settings, in attachment: Attachment, named name: String? = nil
  ) throws -> [(layer: Linear, part: BottleneckPart)] {
    let places = try places(in: sites, settings)
    let rule = try settings.hypercomplex.flatMap { phm in
      try phm.isRuleShared ? places.first.map { try sharedRule(phm, beside: $0.layer.path, in: attachment) } : nil
    }
    return try places.map { layer, key in
      let scope = name.map { attachment.root / key / "adapters" / $0 } ?? attachment.root / key
      let network = try bottleneck(scope, width: layer.outputSize, settings, sharedRule: rule, attachment)
      let scale: BottleneckPart.Scale =
        switch settings.scaling {
        case .constant(let value): .constant(Float(value))
        case .learned: .learned(try scope.parameter("scaling", [1], .ones))
        case .channel: .channel(try scope.parameter("scaling", [layer.outputSize], .ones))
        }
      let part = BottleneckPart(
        network: network, scale: scale, gate: useGating ? try SequenceGate(scope / "gate", width: layer.outputSize, startsUnbiased: true) : nil,
        stochasticDepth: Float(settings.stochasticDepth),
        skipping: LayerSkipping(layer: Self.layerNumber(of: layer.path), drawn: adapterDrop, fixed: skipLayers))
      return (layer, part)
    }
  }

  private func bottleneck(
    _ scope: Scope, width: Int, _ settings: Settings, sharedRule: Parameter?, _ attachment: Attachment
  ) throws -> Bottleneck {
    let narrow = max(1, Int(Double(width) / settings.reductionFactor))
    let down = scope / "adapter_down" / 0
    let up = scope / "adapter_up"
    func projection(_ scope: Scope, _ inputs: Int, _ outputs: Int, _ initializer: Initializer) throws -> BottleneckProjection {
      if let phm = settings.hypercomplex {
        return try hypercomplexProjection(scope, in: inputs, out: outputs, phm, sharedRule: sharedRule)
      }
      let weight = try scope.parameter("weight", [outputs, inputs], initializer)
      if settings.initialization == .houlsby, !attachment.isLoading {
        weight.assign(truncatedNormal(weight.shape, deviation: 0.01, RandomStream(seed: attachment.seed).split(weight.path)))
      }
      return .dense(weight: weight, bias: try scope.parameter("bias", [outputs], .zeros))
    }
    let normal = Initializer.normal(standardDeviation: 0.02)
    let isMam = settings.initialization == .mam
    return Bottleneck(
      down: try projection(down, width, narrow, isMam ? .uniform(bound: 1 / Float(width).squareRoot()) : normal),
      up: try projection(up, narrow, width, isMam ? .zeros : normal), activation: settings.activation, dropout: Float(dropout),
      path: down.path + ".weight")
  }
}

/// Returns normal values of which none is beyond twice the deviation: those are drawn again.
func truncatedNormal(_ shape: Shape, deviation: Float, _ stream: RandomStream) -> Tensor {
  var values = stream.normal(shape, standardDeviation: deviation).values
  var round = 0
  while values.contains(where: { abs($0) > 2 * deviation }) {
    let others = stream.split(round).normal(shape, standardDeviation: deviation).values
    for index in values.indices where abs(values[index]) > 2 * deviation { values[index] = others[index] }
    round += 1
  }
  return Tensor(values, shape)
}
