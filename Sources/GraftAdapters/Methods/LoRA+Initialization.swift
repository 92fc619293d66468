import GraftLayers

/// How `A` and `B` start.
public enum LoRAInitialization: Codable, Sendable, Hashable {
  /// `A` uniform on `±1/sqrt(in)` (Kaiming's bound for a = sqrt 5), `B` zero: the adapter changes nothing at first.
  case kaiming
  /// `A` normal with deviation `1/r`, `B` zero.
  case gaussian
  /// Both random, for tests that want a delta which is not zero.
  case random

  public init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    if let isDefault = try? container.decode(Bool.self) {
      self = isDefault ? .kaiming : .random
      return
    }
    let name = try container.decode(String.self)
    guard name == "gaussian" else {
      throw DecodingError.dataCorruptedError(in: container, debugDescription: "unsupported initialization \"\(name)\"; use true, false or gaussian")
    }
    self = .gaussian
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    switch self {
    case .kaiming: try container.encode(true)
    case .random: try container.encode(false)
    case .gaussian: try container.encode("gaussian")
    }
  }

  func initializers(inputs: Int, outputs: Int, rank: Int) -> (a: Initializer, b: Initializer) {
    let bound = 1 / Float(inputs).squareRoot()
    switch self {
    case .kaiming: return (.uniform(bound: bound), .zeros)
    case .gaussian: return (.normal(standardDeviation: 1 / Float(rank)), .zeros)
    case .random: return (.uniform(bound: bound), .uniform(bound: 1 / Float(rank).squareRoot()))
    }
  }
}
