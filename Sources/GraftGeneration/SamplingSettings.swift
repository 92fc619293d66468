/// How the next token is chosen from the model's distribution.
public struct SamplingSettings: Sendable, Hashable {
  public var maxNewTokens = 128
  /// 0 always takes the most probable token.
  public var temperature: Float = 0
  /// Only the k most probable tokens, where set.
  public var topK: Int?
  /// Only the fewest tokens whose probabilities add up to at least p (Holtzman et al. 2020).
  public var topP: Float?
  /// Only tokens at least this share as probable as the most probable (Nguyen et al. 2024).
  public var minP: Float?
  /// Divides the positive logits of tokens that have occurred, and multiplies the negative ones (Keskar et al. 2019, section 4.1).
  public var repetitionPenalty: Float = 1
  public var seed: UInt64 = 0

  public init() {}
}
