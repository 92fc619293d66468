import GraftLayers
import GraftTensors

extension ModelFamily {
  /// RWKV-6 "Finch": RWKV-5 with shares and decays that depend on the token (Peng et al. 2024, section 4.2), in the layout in which it is
  /// published for Transformers.
  public static let rwkv6 = MatrixStateDecoder.family(
    "rwkv6", classNames: "Rwkv6", share: (.previous, "time_maa_"), decayShape: { [1, 1, $0.hiddenSize] }
  ) { scope, start, c in
    func share(_ name: String, power: Float = 1, plus more: Float = 0) throws -> Parameter {
      try scope.parameter("time_maa_\(name)", [1, 1, c.hiddenSize], .columns(start.shares(of: .previous, power: power, plus: more)))
    }
    // The ranks are in no configuration.
    let (rank, decayRank) = c.hiddenSize == 4096 ? (64, 128) : (32, 64)
    let narrow = Initializer.uniform(bound: 0.01)
    return .dynamic(
      DynamicShift(
        base: try share("x"), decay: try share("w"), key: try share("k"), value: try share("v", plus: 0.3 * start.depth),
        receptance: try share("r", power: 0.5), gate: try share("g", power: 0.5),
        down: try scope.parameter("time_maa_w1", [c.hiddenSize, 5 * rank], .zeros),
        up: try scope.parameter("time_maa_w2", [5, rank, c.hiddenSize], narrow),
        decayDown: try scope.parameter("time_decay_w1", [c.hiddenSize, decayRank], .zeros),
        decayUp: try scope.parameter("time_decay_w2", [decayRank, c.hiddenSize], narrow)))
  }
}
