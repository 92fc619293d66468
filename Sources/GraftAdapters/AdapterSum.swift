import GraftLayers
import GraftTensors

/// A layer with a slot for one adapter, which a sum of several can fill.
protocol AdaptedLayer: AnyObject {
  associatedtype Adapter
  /// The layer's own output `[rows, out]`, without its adapter.
  func unadapted(_ x: Tensor) -> Tensor
  /// The parameters that an adapter folds itself into.
  var mergedParameters: [Parameter] { get }
  func apply(_ adapter: Adapter, to x: Tensor, _ pass: Pass) -> Tensor
  func merge(_ adapter: Adapter) throws(TuningError)
}

extension Linear: AdaptedLayer {
  func unadapted(_ x: Tensor) -> Tensor { plain(x) }
  var mergedParameters: [Parameter] { [weight, bias].compactMap(\.self) }
  func apply(_ adapter: any LinearAdapter, to x: Tensor, _ pass: Pass) -> Tensor { adapter(x, through: self, pass) }
  func merge(_ adapter: any LinearAdapter) throws(TuningError) { try adapter.merge(into: self) }
}

extension Embedding: AdaptedLayer {
  func unadapted(_ x: Tensor) -> Tensor { plain(x) }
  var mergedParameters: [Parameter] { [weight] }
  func apply(_ adapter: any EmbeddingTableAdapter, to x: Tensor, _ pass: Pass) -> Tensor { adapter(x, through: self, pass) }
  func merge(_ adapter: any EmbeddingTableAdapter) throws(TuningError) { try adapter.merge(into: self) }
}

/// Several adapters of one layer at once: `base(x) + Σ w (adapter(x) - base(x))`.
final class AdapterSum<Layer: AdaptedLayer> {
  let parts: [(adapter: Layer.Adapter, weight: Float)]

  init(_ parts: [(adapter: Layer.Adapter, weight: Float)]) { self.parts = parts }

  func callAsFunction(_ x: Tensor, through base: Layer, _ pass: Pass) -> Tensor {
    let plain = base.unadapted(x)
    return parts.reduce(plain) { $0 + $1.weight * (base.apply($1.adapter, to: x, pass) - plain) }
  }

  func merge(into base: Layer) throws(TuningError) {
    try mergeSum(of: parts.map(\.weight), into: base.mergedParameters) { part throws(TuningError) in try base.merge(parts[part].adapter) }
  }
}

/// Several adapters of one projection of experts at once.
final class ExpertAdapterSum: ExpertAdapter {
  let parts: [(adapter: any ExpertAdapter, weight: Float)]

  init(_ parts: [(adapter: any ExpertAdapter, weight: Float)]) { self.parts = parts }

  func callAsFunction(_ x: Tensor, addingTo outputs: [Tensor], of base: ExpertProjection, _ routing: ExpertRouting, _ pass: Pass) -> [Tensor] {
    parts.reduce(outputs) { sums, part in
      let changed = part.adapter(x, addingTo: outputs, of: base, routing, pass)
      return zip(sums, zip(changed, outputs)).map { $0 + part.weight * ($1.0 - $1.1) }
    }
  }

  func merge(into base: ExpertProjection) throws(TuningError) {
    try mergeSum(of: parts.map(\.weight), into: base.parameters) { part throws(TuningError) in try parts[part].adapter.merge(into: base) }
  }
}

extension ExpertProjection {
  /// The parameters that an adapter folds itself into.
  var parameters: [Parameter] {
    switch weights {
    case .layers(let parts): parts.flatMap { $0.map(\.weight) }
    case .fused(let matrices, _, _): [matrices]
    }
  }
}

extension AdapterSum: LinearAdapter where Layer == Linear {}
extension AdapterSum: EmbeddingTableAdapter where Layer == Embedding {}

/// Folds parts into parameters one by one, always starting from the parameters' own values, and leaves there the weighted
/// sum of what each has added.
///
/// Sums are float32 whatever type the parameters are kept in.
private func mergeSum(
  of weights: [Float], into parameters: [Parameter], _ merge: (_ part: Int) throws(TuningError) -> Void
) throws(TuningError) {
  let kept = parameters.map(\.stored)
  let full = kept.map { $0.dense() }
  var sums = full
  for (part, weight) in weights.enumerated() {
    for (parameter, value) in zip(parameters, full) { parameter.assign(value) }
    try merge(part)
    for index in parameters.indices { sums[index] = sums[index] + weight * (parameters[index].value - full[index]) }
  }
  for index in parameters.indices {
    parameters[index].assign(kept[index])
    try parameters[index].replace(with: sums[index])
  }
}
