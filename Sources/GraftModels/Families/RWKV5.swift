import GraftLayers
import GraftTensors

extension ModelFamily {
  /// RWKV-5 "Eagle": a matrix of every head that decays by rates of its keys, in the place of attention (Peng et al. 2024, section 4.1), in
  /// the layout in which it is published for Transformers.
  public static let rwkv5 = MatrixStateDecoder.family(
    "rwkv5", classNames: "Rwkv5", keys: [.only("model_version", "5_2")] + ConfigurationKey.withoutEffect("num_attention_heads"),
    share: (.own, "time_mix_"), decayShape: { [$0.heads, $0.headSize] }
  ) { scope, start, c in
    func mix(_ name: String, _ values: @autoclosure () -> [Float]) throws -> Parameter {
      try scope.parameter("time_mix_\(name)", [1, 1, c.hiddenSize], .columns(values()))
    }
    return .fixed(
      receptance: try mix("receptance", start.shares(of: .own, power: 0.5)), key: try mix("key", start.shares(of: .own)),
      value: try mix("value", start.shares(of: .own, plus: 0.3 * start.depth)), gate: try mix("gate", start.shares(of: .own, power: 0.5)))
  }
}
