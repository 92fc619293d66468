/// The settings of generation: length, constraints, and the choice of each next token.
///
/// They apply in the order of Transformers' `generate`: the constraints, temperature, top-h, top-k, top-p, min-p,
/// typical-p, epsilon and eta.
public struct SamplingSettings: Sendable, Hashable {
  /// The most tokens that are generated.
  public var maxNewTokens = 128
  /// The most tokens of a whole sequence, where set; then `maxNewTokens` says nothing. A decoder's counts its prompt, an
  /// encoder-decoder's its start token.
  public var maxLength: Int?
  /// Changes of the scores, whether or not the choice is drawn.
  public var constraints = ScoreConstraints()
  /// 0 always takes the most probable token.
  public var temperature: Float = 0
  /// Only the most probable tokens whose entropy is this share of that of the hundred most probable (Potraghloo et al. 2025).
  public var topH: Float?
  /// Only the k most probable tokens and those as probable as the last of them, where set; 0 is all.
  public var topK: Int?
  /// Only the most probable tokens, without those at the end whose probabilities add up to at most 1 - p (Holtzman et al. 2020).
  public var topP: Float?
  /// Only tokens at least this share as probable as the most probable (Nguyen et al. 2024).
  public var minP: Float?
  /// Only the tokens nearest to the expected information, up to this mass (Meister et al. 2023).
  public var typicalP: Float?
  /// Only tokens at least this probable, where above 0 (Hewitt et al. 2022).
  public var epsilonCutoff: Float = 0
  /// Only tokens more probable than this, or than its root times the exponential of minus the entropy (Hewitt et al. 2022).
  public var etaCutoff: Float = 0
  /// The seed of the draws.
  public var seed: UInt64 = 0
  /// Searches with beams instead of choosing one token at a time, where set; at a temperature above 0 the beams are drawn.
  public var beams: BeamSettings?

  /// Settings that always take the most probable token.
  public init() {}
}

/// The settings of a beam search, as Transformers' `generate(num_beams=...)` does.
public struct BeamSettings: Sendable, Hashable {
  /// The end of a search that has as many finished sequences as beams.
  public enum EarlyStopping: String, Sendable, Hashable, CaseIterable {
    /// At once.
    case always = "true"
    /// When the best beam, were it to end now, would not be among them.
    case heuristic = "false"
    /// When no beam can come among them, however long it grows.
    case never
  }

  /// The most sequences that are followed side by side.
  public static let largestCount = 1024

  /// The number of sequences that are followed side by side.
  public var count: Int
  /// A sequence's score is its log-probability over its length to this power: above 0 favours longer ones.
  public var lengthPenalty: Float = 1
  /// The end of the search.
  public var earlyStopping = EarlyStopping.heuristic

  /// - Parameter count: the number of sequences that are followed side by side.
  public init(count: Int) { self.count = count }
}
