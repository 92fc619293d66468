/// A model as a drawing shows it: its stacks of layers, layer by layer, and what stands around them.
public struct ModelOutline: Sendable, Hashable {
  /// The layers of a model, or of one of its halves.
  public struct Stack: Sendable, Hashable {
    /// The name of the stack, such as `decoder`.
    public var name: String
    /// The sublayers of each layer.
    public var layers: [[SublayerOutline]]

    /// The layers of a stack.
    public init(_ name: String, _ stack: TransformerStack) {
      self.name = name
      layers = stack.blocks.map { $0.residuals.flatMap(\.outlines) }
    }

    /// Layers one after another that are equal.
    public var groups: [(range: ClosedRange<Int>, sublayers: [SublayerOutline])] {
      var groups: [(range: ClosedRange<Int>, sublayers: [SublayerOutline])] = []
      for (index, layer) in layers.enumerated() {
        if let last = groups.last, last.sublayers == layer {
          groups[groups.count - 1].range = last.range.lowerBound...index
        } else {
          groups.append((index...index, layer))
        }
      }
      return groups
    }
  }

  /// The way in which the model knows the order of tokens, in words.
  public var positions: String
  /// The norm behind the last layer, where there is one.
  public var finalNorm: String?
  /// The layers: one stack, or an encoder's and a decoder's.
  public var stacks: [Stack]

  /// The outline of a model of these stacks.
  public init(positions: String, finalNorm: Norm?, stacks: [Stack]) {
    self.positions = positions
    self.finalNorm = finalNorm?.kindName
    self.stacks = stacks
  }

  private var sublayers: some Sequence<SublayerOutline> { stacks.lazy.flatMap(\.layers).joined() }

  private func sum(_ value: (SublayerOutline) -> Int) -> Int { sublayers.reduce(0) { $0 + value($1) } }

  /// The parameters that a token does not use: those of experts that it is not sent to.
  public var idleParameters: Int {
    sum { outline in outline.experts.map { $0.parameters / $0.count * ($0.count - $0.used) } ?? 0 }
  }

  /// The elements that are kept of every token by layers without a window.
  public var keptPerToken: Int { sum { $0.window == nil ? $0.keptPerToken : 0 } }

  /// The elements that are kept of a sequence of so many tokens.
  public func kept(length: Int) -> Int { sum { $0.keptPerToken * min(length, $0.window ?? length) + $0.keptPerSequence } }

  /// The elements that layers with a window keep, when it is full.
  public var keptInWindows: Int { sum { outline in outline.window.map { $0 * outline.keptPerToken } ?? 0 } }

  /// The elements that are kept of every token of a source.
  public var keptPerSourceToken: Int { sum(\.keptPerSourceToken) }

  /// The elements that are kept of a sequence, however long it is.
  public var keptPerSequence: Int { sum(\.keptPerSequence) }
}

extension Model {
  /// Learned positions in words, as an outline has them: as many as a sequence may have tokens.
  package var learnedPositions: String { (["learned"] + (maximumLength.map { ["\($0)"] } ?? [])).joined(separator: ", ") }
}
