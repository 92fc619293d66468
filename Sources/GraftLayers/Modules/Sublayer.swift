import GraftTensors

/// One part of a block, such as attention or a feed-forward: it reads normed states and adds to the residual stream.
public protocol Sublayer {
  /// The layer that the sublayer ends in, whose slot holds a residual adapter; nil for a sublayer without such a layer.
  var last: Linear? { get }
  /// The sublayer as drawings of models show it.
  var outline: SublayerOutline { get }
  /// Returns what the sublayer computes, `[rows, hidden]`, with the residual added where one is given.
  /// - Parameters:
  ///   - x: `[rows, hidden]`.
  ///   - residual: `[rows, hidden]`; its memory is used for the result where nobody else holds it.
  func callAsFunction(_ x: Tensor, _ layout: SequenceLayout, _ pass: Pass, addingTo residual: consuming Tensor?) -> Tensor
}

/// Sublayers side by side: all read the same states and all add to them (GPT-J; Chowdhery et al. 2022, section 2).
public struct ParallelSublayers: Sublayer {
  /// The sublayers, each with a norm of its own where they do not share one (GPT-NeoX).
  public let branches: [(norm: Norm?, sublayer: any Sublayer)]

  /// Sublayers that read the same normed states.
  public init(_ sublayers: [any Sublayer]) { branches = sublayers.map { (nil, $0) } }

  /// Sublayers with norms of their own.
  public init(_ branches: [(norm: Norm, sublayer: any Sublayer)]) { self.branches = branches.map { ($0.norm, $0.sublayer) } }

  /// Nil: every branch ends in a layer of its own.
  public var last: Linear? { nil }

  public func callAsFunction(_ x: Tensor, _ layout: SequenceLayout, _ pass: Pass, addingTo residual: consuming Tensor?) -> Tensor {
    var sum = residual
    for (norm, sublayer) in branches { sum = sublayer(norm.map { $0(x) } ?? x, layout, pass, addingTo: sum.take()) }
    guard let sum else { preconditionFailure("parallel sublayers without a branch") }
    return sum
  }
}
