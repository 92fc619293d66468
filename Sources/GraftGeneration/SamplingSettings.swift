/// How the next token is chosen from the model's distribution.
///
/// What is set applies in this order, that of Transformers' `generate`: repetition penalty, temperature, top-k, top-p, min-p.
public struct SamplingSettings: Sendable, Hashable {
  public var maxNewTokens = 128
  /// 0 always takes the most probable token.
  public var temperature: Float = 0
  /// Only the k most probable tokens and those as probable as the last of them, where set; 0 is all.
  public var topK: Int?
  /// Only the most probable tokens, without those at the end whose probabilities add up to at most 1 - p (Holtzman et al. 2020).
  public var topP: Float?
  /// Only tokens at least this share as probable as the most probable (Nguyen et al. 2024).
  public var minP: Float?
  /// Divides the positive scores of tokens that have occurred, and multiplies the negative ones (Keskar et al. 2019, section 4.1).
  public var repetitionPenalty: Float = 1
  public var seed: UInt64 = 0
  /// Searches with beams instead of choosing one token at a time, where set; then only the repetition penalty applies beside it.
  public var beams: BeamSettings?

  public init() {}
}

/// How beams are searched, as Transformers' `generate(num_beams=..., do_sample=False)` does.
public struct BeamSettings: Sendable, Hashable {
  /// When a search ends that has as many finished sequences as beams.
  public enum EarlyStopping: String, Sendable, Hashable, CaseIterable {
    /// At once.
    case always = "true"
    /// When the best beam, were it to end now, would not be among them.
    case heuristic = "false"
    /// When no beam can come among them, however long it grows.
    case never
  }

  /// How many sequences are followed side by side.
  public var count: Int
  /// A sequence's score is its log-probability over its length to this power: above 0 favours longer ones.
  public var lengthPenalty: Float = 1
  public var earlyStopping = EarlyStopping.heuristic

  public init(count: Int) { self.count = count }
}
