import GraftLayers
import GraftTensors

/// Several adapters of one linear layer at once: `base(x) + Σ w (adapter(x) - base(x))`.
final class LinearAdapterSum: LinearAdapter {
  let parts: [(adapter: any LinearAdapter, weight: Float)]

  init(_ parts: [(adapter: any LinearAdapter, weight: Float)]) { self.parts = parts }

  func callAsFunction(_ x: Tensor, through base: Linear, _ pass: Pass) -> Tensor {
    let plain = base.plain(x)
    return parts.reduce(plain) { $0 + $1.weight * ($1.adapter(x, through: base, pass) - plain) }
  }

  func merge(into base: Linear) throws(TuningError) {
    try mergeSum(of: parts.map(\.weight), into: [base.weight, base.bias].compactMap(\.self)) { part throws(TuningError) in
      try parts[part].adapter.merge(into: base)
    }
  }
}

/// Several adapters of one table at once: `base[token] + Σ w (adapter[token] - base[token])`.
final class TableAdapterSum: EmbeddingTableAdapter {
  let parts: [(adapter: any EmbeddingTableAdapter, weight: Float)]

  init(_ parts: [(adapter: any EmbeddingTableAdapter, weight: Float)]) { self.parts = parts }

  func callAsFunction(_ tokens: Tensor, through base: Embedding, _ pass: Pass) -> Tensor {
    let plain = base.plain(tokens)
    return parts.reduce(plain) { $0 + $1.weight * ($1.adapter(tokens, through: base, pass) - plain) }
  }

  func merge(into base: Embedding) throws(TuningError) {
    try mergeSum(of: parts.map(\.weight), into: [base.weight]) { part throws(TuningError) in try parts[part].adapter.merge(into: base) }
  }
}

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
