import GraftConfiguration
import GraftLayers
import GraftTensors

/// Circular convolutions: `ΔW` in square blocks whose rows are one trained vector, turned on by one place from row to row.
///
/// Chen et al. 2024, "Parameter-efficient fine-tuning via circular convolution". On a CPU the blocks' product is a matrix product.
public struct C3A: TargetedMethod {
  public static let name = "C3A"
  public static let defaultLearningRate = 1e-1
  public static let card = MethodCard(
    title: "C³A", formula: "`W x + b + ΔW x`, `ΔW` of circulant blocks of size `n`", parameters: "`in out / n` a target",
    seam: "linear layers", source: "Chen et al. 2024")

  /// The size of blocks, which divides the inputs and outputs of every target.
  package var blockSize = 256
  public var targetModules: ModuleSelection?
  package var bias = BiasTraining.none
  public var modulesToSave: [String]?
  public var layersToTransform: OneOrMany<Int>?
  public var layersPattern: OneOrMany<String>?
  package var blockSizePattern = ConfigTree.mapping(ConfigMapping())
  package var initWeights = KernelInitialization.xavierUniform

  public init() {}

  public func attach(to sites: SiteCatalog, in attachment: Attachment) throws {
    let layers = try targets.linears(in: sites, for: attachment)
    let sizes = try PatternTable("block_size_pattern", blockSizePattern.numbers)
    try sizes.requireUse(by: layers.map(\.path), in: attachment)
    for layer in layers {
      let size = sizes[layer.path].map { Int($0) } ?? blockSize
      guard size > 0, layer.inputSize % size == 0, layer.outputSize % size == 0 else {
        throw TuningError("block_size: is \(size), which does not divide \(layer.path) [\(layer.outputSize), \(layer.inputSize)]")
      }
      let kernel = try (attachment.scope / layer.path).parameter(
        "c3a_kernel", [layer.outputSize / size, layer.inputSize / size, size], initWeights.initializer(of: layer))
      try attachment.fill(layer, with: CirculantAdapter(kernel))
    }
    try attachment.adoptBiases(bias, of: sites, targets: layers, saved: modulesToSave ?? [])
    try attachment.adoptModules(modulesToSave ?? [], of: sites)
  }
}

/// The initial values of kernels.
package enum KernelInitialization: Codable, Sendable, Hashable {
  /// Zero: the adapter changes nothing at first.
  case zero
  case gaussian, xavierUniform, kaimingUniform

  package init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    if let isZero = try? container.decode(Bool.self) {
      self = isZero ? .zero : .xavierUniform
      return
    }
    switch try container.decode(String.self) {
    case "gaussian": self = .gaussian
    case "xavier_uniform": self = .xavierUniform
    case "kaiming_uniform": self = .kaimingUniform
    default:
      throw DecodingError.dataCorruptedError(
        in: container, debugDescription: "unknown initialization; use true, false, gaussian, xavier_uniform or kaiming_uniform")
    }
  }

  package func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    switch self {
    case .zero: try container.encode(true)
    case .gaussian: try container.encode("gaussian")
    case .xavierUniform: try container.encode("xavier_uniform")
    case .kaimingUniform: try container.encode("kaiming_uniform")
    }
  }

  func initializer(of layer: Linear) -> Initializer {
    switch self {
    case .zero: .zeros
    case .gaussian: .normal(standardDeviation: 1)
    case .xavierUniform: .uniform(bound: (6 / Float(layer.inputSize + layer.outputSize)).squareRoot())
    case .kaimingUniform: .uniform(bound: 1 / Float(layer.inputSize).squareRoot())
    }
  }
}

/// Circulant blocks beside a linear layer.
private final class CirculantAdapter: WeightChange {
  /// `[out / n, in / n, n]`.
  let kernel: Parameter

  init(_ kernel: Parameter) { self.kernel = kernel }

  /// Row `t` of block `(m, n)` is kernel `(m, n)`, turned on by `t` places and over the number of inputs.
  func change(of weight: @autoclosure () -> Tensor) -> Tensor {
    let (down, across, size) = (kernel.shape[0], kernel.shape[1], kernel.shape[2])
    let columns = across * size
    func visit(_ body: (_ element: Int, _ value: Int) -> Void) {
      for row in 0..<down * size {
        for column in 0..<columns {
          let turned = (column - row % size + size) % size
          body(row * columns + column, (row / size * across + column / size) * size + turned)
        }
      }
    }
    let matrix = customOperation("circulant", of: [kernel.operand]) { inputs in
      inputs[0].withElements { kernel in Tensor([down * size, columns]) { matrix in visit { matrix[$0] = kernel[$1] } } }
    } pullback: { gradient, inputs, _ in
      [gradient.withElements { slopes in Tensor(inputs[0].shape) { total in visit { total[$1] += slopes[$0] } } }]
    }
    return 1 / Float(columns) * matrix
  }
}
