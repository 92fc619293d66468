import GraftTensors

/// One layer of a transformer: attention, perhaps attention to an encoder, and a feed-forward, each with its residual and norm.
public final class TransformerBlock {
  /// Where the norms stand: before each sublayer, or after its residual as in the original (Vaswani et al. 2017, section 3.1).
  public enum NormPlace: Sendable { case before, after }

  let normPlace: NormPlace
  let attention: Attention, attentionNorm: Norm
  let cross: (attention: Attention, norm: Norm)?
  let feedForward: FeedForward, feedForwardNorm: Norm

  public init(
    _ normPlace: NormPlace, attention: Attention, norm attentionNorm: Norm, cross: (attention: Attention, norm: Norm)? = nil,
    feedForward: FeedForward, norm feedForwardNorm: Norm
  ) {
    (self.normPlace, self.cross) = (normPlace, cross)
    (self.attention, self.attentionNorm) = (attention, attentionNorm)
    (self.feedForward, self.feedForwardNorm) = (feedForward, feedForwardNorm)
  }

  func callAsFunction(_ x: Tensor, _ layout: SequenceLayout, over source: EncoderStates?, _ pass: Pass) -> Tensor {
    var x = residual(x, attentionNorm) { attention($0, layout, pass, addingTo: $1) }
    if let cross, let source {
      x = residual(x, cross.norm) { cross.attention($0, over: source, layout, pass, addingTo: $1) }
    }
    return residual(x, feedForwardNorm) { feedForward($0, pass, addingTo: $1) }
  }

  private func residual(_ x: Tensor, _ norm: Norm, _ sublayer: (_ input: Tensor, _ base: Tensor) -> Tensor) -> Tensor {
    switch normPlace {
    case .before: sublayer(norm(x), x)
    case .after: norm(sublayer(x, x))
    }
  }
}

/// Layers one after another, recomputed on the way back where the execution says so.
public struct TransformerStack {
  let blocks: [TransformerBlock]
  private let path: String
  private let layerDrop: Float

  /// - Parameters:
  ///   - path: where the layers are, which chance depends on.
  ///   - layerDrop: the probability with which a layer is left out in training (Fan et al. 2019, section 3.2).
  public init(_ blocks: [TransformerBlock], path: String = "", layerDrop: Float = 0) {
    (self.blocks, self.path, self.layerDrop) = (blocks, path, layerDrop)
  }

  /// - Parameters:
  ///   - x: `[rows, hidden]`.
  ///   - source: what cross-attention reads.
  /// - Returns: `[rows, hidden]`.
  public func callAsFunction(_ x: Tensor, _ layout: SequenceLayout, over source: EncoderStates? = nil, _ pass: Pass) -> Tensor {
    blocks.enumerated().reduce(x) { x, entry in
      let (index, block) = entry
      if isLeftOut(index, pass) { return x }
      if index == blocks.count - 1 { return block(x, layout, over: source, pass) }
      // Whatever a gradient goes to must be an input of what is computed again.
      return recomputed([x] + [layout.bias?.values, source?.states].compactMap { $0 }) { inputs in
        var layout = layout
        var source = source
        var rest = inputs.dropFirst()
        if layout.bias != nil { layout.bias = DistanceBias(rest.removeFirst()) }
        if source != nil { source?.states = rest.removeFirst() }
        return block(inputs[0], layout, over: source, pass)
      }
    }
  }

  private func isLeftOut(_ layer: Int, _ pass: Pass) -> Bool {
    pass.isTraining && layerDrop > 0 && pass.random.split(path).split(layer).unit(at: 0) < layerDrop
  }
}
