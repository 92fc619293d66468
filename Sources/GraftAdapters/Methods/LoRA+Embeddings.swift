import GraftLayers
import GraftTensors

/// `E[token] + s B A[:, token]`, with `A [r, entries]` and `B [width, r]`; with DoRA each column times `m / n`, `n` the lengths of the
/// columns of `E + s (B A)ᵀ`, through which no gradient goes.
final class LowRankEmbeddingAdapter: EmbeddingTableAdapter {
  let a: Parameter, b: Parameter
  /// `[width]`, of DoRA.
  let magnitude: Parameter?
  let scale: Float

  init(a: Parameter, b: Parameter, magnitude: Parameter?, scale: Float) { (self.a, self.b, self.magnitude, self.scale) = (a, b, magnitude, scale) }

  func callAsFunction(_ tokens: Tensor, through base: Embedding, _ pass: Pass) -> Tensor {
    let sum = linear(gatherRows(a.operand.transposed, tokens), b.operand, scale: scale, addingTo: base.plain(tokens))
    return magnitude.map { scaleColumns(sum, by: $0.operand * reciprocalNorms(of: base)) } ?? sum
  }

  /// - Returns: `[width]`.
  func columnNorms(of base: Embedding) -> Tensor {
    let rows = changed(base).transposed
    return Tensor((0..<rows.shape[0]).map { Float(rows.rows($0..<$0 + 1).sumOfSquares.squareRoot()) })
  }

  private func reciprocalNorms(of base: Embedding) -> Tensor { Tensor(columnNorms(of: base).values.map { 1 / $0 }) }

  /// `E + s (B A)ᵀ`.
  private func changed(_ base: Embedding) -> Tensor {
    linear(a.value.transposed, b.value, scale: scale, addingTo: base.weight.dense())
  }

  func merge(into base: Embedding) throws(TuningError) {
    let sum = changed(base)
    let merged = magnitude.map { scaleColumns(sum, by: $0.value * reciprocalNorms(of: base)) } ?? sum
    guard merged.firstNonFiniteIndex == nil else { throw TuningError("\(base.path): merging makes a weight that is not finite") }
    try base.weight.replace(with: merged)
  }
}

/// The adapter of a table in the head that shares it: `E x + s Aᵀ (Bᵀ x)`.
final class TiedHeadAdapter: LinearAdapter {
  private let table: LowRankEmbeddingAdapter

  init(_ table: LowRankEmbeddingAdapter) { self.table = table }

  func callAsFunction(_ x: Tensor, through base: Linear, _ pass: Pass) -> Tensor {
    linear(linear(x, table.b.operand.transposed), table.a.operand.transposed, scale: table.scale, addingTo: base.plain(x))
  }

  /// The table merges the matrix that they share.
  func merge(into base: Linear) throws(TuningError) {}
}

extension LoRA {
  /// Of a table and a head that share a matrix: takes them apart, as far as their adapters are, or gives both the table's adapter.
  /// - Returns: true where the site has its adapter now.
  func attachTied(_ site: Site, _ patterns: Patterns, of sites: SiteCatalog, in attachment: Attachment) throws -> Bool {
    guard let tie = sites.ties.first(where: { $0.head === site.linear || $0.table === site.embedding }) else { return false }
    guard ensureWeightTying == true else {
      attachment.untie(tie.head, of: sites)
      return false
    }
    guard tie.head.adapter == nil else { return true }
    guard !useDora else { throw TuningError("ensure_weight_tying: cannot be combined with use_dora; leave out one of them") }
    let (rank, scale) = try patterns.factors(for: tie.table.path)
    let adapter = try attach(to: tie.table, (rank, scale), in: attachment)
    let head = attachment.scope / tie.head.path
    for (name, value) in [("lora_A", { adapter.b.value.transposed }), ("lora_B", { adapter.a.value.transposed })] {
      let key = "\(head.path).\(name).weight"
      try attachment.ignore(key, shape: value().shape)
      attachment.store(key, value)
    }
    try attachment.ignore("\(head.path).base_layer.weight", shape: tie.head.weight.shape)
    try attachment.fill(tie.head, with: TiedHeadAdapter(adapter))
    return true
  }

  @discardableResult
  func attach(
    to embedding: Embedding, _ factors: (rank: Int, scale: Float), in attachment: Attachment
  ) throws -> LowRankEmbeddingAdapter {
    let scope = attachment.scope / embedding.path
    if let key = try variants.chosen()?.key {
      throw TuningError("\(key): is for linear layers, not for the table \(embedding.path); leave that out of target_modules")
    }
    if initLoraWeights == .minor {
      try attachment.object(
        "init_lora_weights: mica is for linear layers here, not for the table \(embedding.path)")
    }
    let width = embedding.weight.shape[1]
    let magnitude = useDora ? try scope.parameter("lora_magnitude_vector", [width], .ones) : nil
    let adapter = LowRankEmbeddingAdapter(
      a: try scope.parameter("lora_embedding_A", [factors.rank, embedding.entries], .zeros),
      b: try scope.parameter("lora_embedding_B", [width, factors.rank], .normal(standardDeviation: 1)),
      magnitude: magnitude, scale: factors.scale)
    if let magnitude, !attachment.isLoading { magnitude.assign(adapter.columnNorms(of: embedding)) }
    try attachment.ignore("\(scope.path).base_layer.weight", shape: embedding.weight.shape)
    try attachment.fill(embedding, with: adapter)
    return adapter
  }
}
