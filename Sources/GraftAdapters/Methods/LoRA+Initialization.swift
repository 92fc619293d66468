import GraftLayers
import GraftTensors

/// The initial values of `A` and `B`.
public enum LoRAInitialization: Codable, Sendable, Hashable {
  /// `A` uniform on `±1/sqrt(in)` (Kaiming's bound for a = sqrt 5), `B` zero: the adapter changes nothing at first.
  case kaiming
  /// `A` normal with deviation `1/r`, `B` zero.
  case gaussian
  /// The leading singular triplets of the weight, which then does without them; iterated so often.
  case pissa(iterations: Int?)
  /// The start of a QR decomposition of the weight, which then does without it.
  case olora
  /// The best approximation of what the quantization of the weight loses.
  case loftq
  /// Both random, for tests that want a delta which is not zero.
  case random
  /// `A` zero and `B` the left singular vectors of the smallest singular values of the weight, which are not trained (Rüdiger and Raschka 2026, "MiCA").
  case minor
  /// Both normal, times two halves of an orthogonal matrix, so that their product is zero (Datta 2024).
  case orthogonal
  /// Another of PEFT's, which needs data or programs of its own; without meaning for an adapter that has been trained.
  case foreign(String)

  private static let foreignNames = ["corda", "eva", "lora_ga"]

  public init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    if let isDefault = try? container.decode(Bool.self) {
      self = isDefault ? .kaiming : .random
      return
    }
    let name = try container.decode(String.self)
    let iterations = Int(name.replacing("pissa_niter_", with: ""))
    switch name {
    case "gaussian": self = .gaussian
    case "olora": self = .olora
    case "loftq": self = .loftq
    case "mica": self = .minor
    case "orthogonal": self = .orthogonal
    case "pissa": self = .pissa(iterations: nil)
    case _ where Self.foreignNames.contains(name): self = .foreign(name)
    case _ where name.hasPrefix("pissa_niter_") && iterations.map { $0 > 0 } == true: self = .pissa(iterations: iterations)
    default:
      throw DecodingError.dataCorruptedError(
        in: container,
        debugDescription: "unsupported initialization \"\(name)\"; use true, false, gaussian, pissa, pissa_niter_16, olora, loftq, mica or orthogonal"
      )
    }
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    switch self {
    // PEFT would start such an adapter again, and fail.
    case .kaiming, .foreign: try container.encode(true)
    case .random: try container.encode(false)
    case .gaussian: try container.encode("gaussian")
    case .olora: try container.encode("olora")
    case .loftq: try container.encode("loftq")
    case .minor: try container.encode("mica")
    case .orthogonal: try container.encode("orthogonal")
    case .pissa(let iterations): try container.encode(iterations.map { "pissa_niter_\($0)" } ?? "pissa")
    }
  }

  func initializers(inputs: Int, outputs: Int, rank: Int) -> (a: Initializer, b: Initializer) {
    let bound = 1 / Float(inputs).squareRoot()
    switch self {
    case .kaiming, .foreign: return (.uniform(bound: bound), .zeros)
    case .gaussian: return (.normal(standardDeviation: 1 / Float(rank)), .zeros)
    case .pissa, .olora, .loftq, .minor, .orthogonal: return (.zeros, .zeros)
    case .random: return (.uniform(bound: bound), .uniform(bound: 1 / Float(rank).squareRoot()))
    }
  }

  /// True where the factors start as a part of the weight.
  package var isDecomposition: Bool {
    switch self {
    case .pissa, .olora: true
    case .kaiming, .gaussian, .loftq, .random, .foreign, .minor, .orthogonal: false
    }
  }

  /// True where the factors belong to another weight than the checkpoint's: what is left of it, or what it is quantized to.
  package var changesBase: Bool { isDecomposition || self == .loftq }

  /// Returns true where a layer's weight has a part of that rank.
  func fits(rank: Int, in layer: Linear) -> Bool { !changesBase && self != .minor || rank <= min(layer.inputSize, layer.outputSize) }

  /// Returns the part that the factors start as and the weight does without; nil where it stays whole.
  ///
  /// Computed again whenever the adapter is attached, from the weight alone.
  func part(of layer: Linear, rank: Int, scale: Float) -> LowRankPart? {
    // Decoding or widening a weight is worth it only where it is decomposed.
    guard isDecomposition else { return nil }
    let weight = layer.weight.dense()
    let rows = layer.layout == .outputByInput ? weight : weight.transposed
    switch self {
    case .kaiming, .gaussian, .loftq, .random, .foreign, .minor, .orthogonal: return nil
    case .olora: return .orthonormal(of: rows, rank: rank)
    case .pissa(let iterations):
      let part = LowRankPart.principal(of: rows, rank: rank, iterations: iterations ?? 60, RandomStream(seed: 0).split(layer.path))
      let factor = 1 / scale.squareRoot()
      return LowRankPart(a: factor * part.a, b: factor * part.b)
    }
  }

  /// Draws or computes initial values that are no part of the weight.
  /// - Parameter stream: of the layer.
  func start(_ factors: LowRankFactors, of layer: Linear, _ stream: RandomStream) {
    let (rank, inputs) = (factors.a.shape[0], factors.a.shape[1])
    switch self {
    case .minor:
      let weight = layer.weight.dense()
      let part = LowRankPart.minor(of: layer.layout == .outputByInput ? weight : weight.transposed, rank: rank)
      factors.b.assign(orthonormalRows(part.b.transposed).transposed)
    case .orthogonal:
      let basis = orthonormalRows(stream.split("basis").normal([rank, rank]))
      let halves = [0, 1].map { first in concatenateRows(stride(from: first, to: rank, by: 2).map { basis.rows($0..<$0 + 1) }) }
      let (a, b) = (stream.split("A").normal([rank / 2, inputs]), stream.split("B").normal([rank / 2, factors.b.shape[0]]))
      factors.a.assign(0.1 * matrixProduct(halves[0].transposed, a))
      factors.b.assign(0.1 * matrixProduct(b.transposed, halves[1]))
    default: break
    }
  }
}
