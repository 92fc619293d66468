import GraftTensors

/// One layer of a transformer: sublayers one after another, each with its residual connection.
public final class TransformerBlock {
  /// The sublayers with their residual connections, in the order of the computation.
  public let residuals: [Residual]

  /// The module's path, such as `model.layers.0`; empty for a block that methods need not find.
  public let path: String
  /// The change of the states that the block reads, in its slot.
  public var inputAdapter: (any StateAdapter)?
  /// The change of the states that the block leaves, in its slot.
  public var adapter: (any StateAdapter)?

  /// The sublayers in the order of the computation.
  public convenience init(at scope: Scope? = nil, _ residuals: Residual...) { self.init(at: scope, residuals) }

  /// - Parameters:
  ///   - scope: the block's scope, in whose catalog it is entered.
  ///   - residuals: the sublayers in the order of the computation.
  public init(at scope: Scope? = nil, _ residuals: [Residual]) {
    path = scope?.path ?? ""
    self.residuals = residuals
    if let scope { scope.catalog.add(Site(path: path, role: nil, module: .block(self))) }
  }

  /// - Parameter x: `[rows, hidden]`.
  /// - Returns: `[rows, hidden]`.
  func callAsFunction(_ x: consuming Tensor, _ layout: SequenceLayout, _ pass: Pass) -> Tensor {
    if let inputAdapter { x = inputAdapter(x, pass) }
    for residual in residuals { x = residual(consume x, layout, pass) }
    guard let adapter else { return x }
    return adapter(x, pass)
  }
}

/// The blocks of a model or of one of its halves, one after another, recomputed on the way back where the execution says so.
public struct TransformerStack {
  /// The blocks, the first first.
  public let blocks: [TransformerBlock]
  private let path: String
  private let layerDrop: Float

  /// - Parameters:
  ///   - path: the path of the layers, which the random choice of layers depends on.
  ///   - layerDrop: the probability with which a layer is left out in training (Fan et al. 2019, section 3.2).
  public init(_ blocks: [TransformerBlock], path: String = "", layerDrop: Float = 0) {
    self.blocks = blocks
    self.path = path
    self.layerDrop = layerDrop
  }

  /// The first layer that attends to its own sequence; nil in a stack without attention.
  public var firstAttention: Attention? {
    for block in blocks {
      for residual in block.residuals {
        if let attention = residual.sublayer as? Attention { return attention }
      }
    }
    return nil
  }

  /// - Parameter x: `[rows, hidden]`.
  /// - Returns: `[rows, hidden]`.
  public func callAsFunction(_ x: consuming Tensor, _ layout: SequenceLayout, _ pass: Pass) -> Tensor {
    var pass = pass
    pass.shared = SharedTensors()
    pass.read = pass.read.copy
    pass.sequences = layout.spans.map(\.queries)
    let count = min(blocks.count, pass.layerLimit ?? .max)
    for (index, block) in blocks.prefix(count).enumerated() where !isLeftOut(index, pass) {
      // What the last block keeps is wanted at once.
      x = Execution.current.recomputation && index + 1 < count ? recomputed(block, consume x, layout, pass) : block(consume x, layout, pass)
    }
    return x
  }

  /// Every tensor that a gradient goes to is an input of what is computed again: those of the layout, too.
  private func recomputed(_ block: TransformerBlock, _ x: Tensor, _ layout: SequenceLayout, _ pass: Pass) -> Tensor {
    // What the block leaves is an output like its states; each run of it leaves the same, in a collector of its own.
    var left = AuxiliaryOutputs()
    let known = pass.shared.entries
    var made: [String] = []
    let outputs = GraftTensors.recomputed([x] + layout.tensors + known.map(\.value)) { inputs -> [Tensor] in
      var own = pass
      left = AuxiliaryOutputs()
      own.auxiliary = pass.auxiliary.map { _ in left }
      own.shared = SharedTensors(known.map(\.name), inputs.suffix(known.count))
      let states = block(inputs[0], layout.replacing(inputs.dropFirst().dropLast(known.count)), own)
      let shared = own.shared.entries.dropFirst(known.count)
      made = shared.map(\.name)
      return [states] + left.entries.map(\.value) + shared.map(\.value)
    }
    pass.auxiliary?.adopt(left, values: outputs.dropFirst().prefix(left.entries.count))
    for (name, value) in zip(made, outputs.suffix(made.count)) { pass.shared.share(value, as: name) }
    return outputs[0]
  }

  private func isLeftOut(_ layer: Int, _ pass: Pass) -> Bool {
    pass.isTraining && layerDrop > 0 && pass.random.split(path).split(layer).unit(at: 0) < layerDrop
  }
}
