import GraftTensors

/// A sublayer with its residual connection and its norms.
public struct Residual {
  /// The norms of a residual connection, by where they stand; `f` is the sublayer.
  public enum Norms {
    /// `x + f(x)`.
    case none
    /// `x + f(norm(x))`, as most decoders since GPT-2 (Xiong et al. 2020).
    case before(Norm)
    /// `norm(x + f(x))`, as the original (Vaswani et al. 2017, section 3.1).
    case after(Norm)
    /// `x + norm(f(x))`, as OLMo 2.
    case inside(Norm)
    /// `x + second(f(first(x)))`, as Gemma 2 and GLM-4.
    case around(Norm, Norm)
  }

  /// The norms, by where they stand.
  public let norms: Norms
  /// The attention, the feed-forward, or whatever else computes.
  public let sublayer: any Sublayer
  /// The factor of what the sublayer adds (Granite).
  public let multiplier: Float

  /// - Parameter multiplier: the factor of what the sublayer adds.
  public init(_ norms: Norms, _ sublayer: any Sublayer, multiplier: Float = 1) {
    self.norms = norms
    self.sublayer = sublayer
    self.multiplier = multiplier
  }

  /// - Parameter x: `[rows, hidden]`.
  /// - Returns: `[rows, hidden]`.
  func callAsFunction(_ x: consuming Tensor, _ layout: SequenceLayout, _ pass: Pass) -> Tensor {
    switch norms {
    case .none: return joined(copy x, to: consume x, nil, layout, pass)
    case .before(let norm):
      let input = norm(x, pass)
      return joined(input, to: consume x, nil, layout, pass)
    case .after(let norm): return norm(joined(copy x, to: consume x, nil, layout, pass))
    case .inside(let norm): return joined(copy x, to: consume x, norm, layout, pass)
    case .around(let first, let second):
      let input = first(x)
      return joined(input, to: consume x, second, layout, pass)
    }
  }

  /// `residual + multiplier * norm(sublayer(input))`.
  private func joined(_ input: Tensor, to residual: consuming Tensor, _ norm: Norm?, _ layout: SequenceLayout, _ pass: Pass) -> Tensor {
    // The sum is made by the sublayer's last product where nothing stands between them.
    guard norm != nil || multiplier != 1 else { return sublayer(input, layout, pass, addingTo: residual) }
    var y = sublayer(input, layout, pass, addingTo: nil)
    if let norm { y = norm(y) }
    if multiplier != 1 { y = multiplier * y }
    return sublayer.last?.residualAdapter?(y, joining: residual, pass) ?? residual + y
  }
}
