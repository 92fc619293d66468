import GraftConfiguration
import GraftLayers
import GraftTensors

/// An invertible function of the embedded tokens, of two coupled halves: `y₁ = x₁ + F(x₂)`, `y₂ = x₂ + G(y₁)`.
///
/// Dinh et al. 2015, "NICE", equation 5; Pfeiffer et al. 2020, "MAD-X", section 4.2. It stands before the first layer; heads read the last
/// states as they are, as in AdapterHub's models with Transformers' own heads.
package final class InvertibleAdapter: StateAdapter {
  /// The kind of coupling.
  package enum Kind: String, ConfigChoice {
    /// Sums.
    case nice
    /// Sums and products, which no version of AdapterHub computes.
    case glow
  }

  /// Two layers with a non-linearity between them.
  private struct Network {
    let inner: (weight: Parameter, bias: Parameter), outer: (weight: Parameter, bias: Parameter)
    let activation: Activation

    init(_ scope: Scope, in inputs: Int, out outputs: Int, factor: Double, _ activation: Activation) throws {
      let middle = Int(Double(inputs) / factor)
      func layer(_ scope: Scope, _ inputs: Int, _ outputs: Int) throws -> (Parameter, Parameter) {
        (try scope.parameter("weight", [outputs, inputs], .normal(standardDeviation: 0.02)), try scope.parameter("bias", [outputs], .zeros))
      }
      inner = try layer(scope / 0, inputs, middle)
      outer = try layer(scope / 2, middle, outputs)
      self.activation = activation
    }

    func callAsFunction(_ x: Tensor) -> Tensor {
      let middle = activate(linear(x, inner.weight.operand, bias: inner.bias.operand), activation)
      return linear(middle, outer.weight.operand, bias: outer.bias.operand)
    }
  }

  private let first: Network, second: Network
  private let half: Int

  private init(first: Network, second: Network, half: Int) { (self.first, self.second, self.half) = (first, second, half) }

  /// Puts one before the first block, under AdapterHub's name.
  static func attach(_ kind: Kind, _ settings: BottleneckAdapter.Settings, to sites: SiteCatalog, in attachment: Attachment) throws {
    guard kind == .nice else {
      throw TuningError("inv_adapter: glow cuts the sequence instead of the channels in AdapterHub, and fails there; take nice")
    }
    guard !sites.hasTwoHalves, let block = sites.sites.lazy.compactMap(\.block).first else {
      throw TuningError("inv_adapter: \(sites.modelType ?? "this model") has no single stack of layers that it could stand before; leave it out")
    }
    let width = try ReFT.width(of: block, in: sites)
    let half = width / 2
    guard settings.invertibleFactor > 0, Double(half) >= settings.invertibleFactor else {
      throw TuningError("inv_adapter_reduction_factor: is \(settings.invertibleFactor); it must be positive and at most \(half)")
    }
    let scope = attachment.root / (block.path.split(separator: ".").first.map(String.init) ?? "") / "invertible_adapters"
    let adapter = InvertibleAdapter(
      first: try Network(scope / "F", in: width - half, out: half, factor: settings.invertibleFactor, settings.activation),
      second: try Network(scope / "G", in: half, out: width - half, factor: settings.invertibleFactor, settings.activation), half: half)
    try attachment.fill(inputOf: block, with: adapter)
  }

  package func callAsFunction(_ x: Tensor, _ pass: Pass) -> Tensor {
    let width = x.shape.columns
    let tail = x.columns(half..<width)
    let head = x.columns(0..<half) + first(tail)
    return concatenateRows([head.transposed, (tail + second(head)).transposed]).transposed
  }
}
