/// Changes of the scores of tokens, whether or not the choice among them is drawn; Transformers' logits processors.
///
/// Tokens outside the vocabulary are left aside.
public struct ScoreConstraints: Sendable, Hashable {
  /// A number that is added to the score of a sequence's last token behind the others.
  public struct SequenceBias: Sendable, Hashable {
    /// At least one.
    public var tokens: [Int32]
    /// The number.
    public var bias: Float

    /// - Parameter tokens: at least one.
    public init(_ tokens: [Int32], bias: Float) { (self.tokens, self.bias) = (tokens, bias) }
  }

  /// The growth of the end's score with every token over a number of new ones.
  public struct LengthDecay: Sendable, Hashable {
    /// The number of new tokens that go by first.
    public var start: Int
    /// Raised to the number of tokens since.
    public var factor: Double

    /// - Parameters:
    ///   - start: the number of new tokens that go by first.
    ///   - factor: raised to the number of tokens since.
    public init(start: Int, factor: Double) { (self.start, self.factor) = (start, factor) }
  }

  /// Numbers added to the scores of sequences' last tokens.
  public var sequenceBiases: [SequenceBias] = []
  /// Above 1 favours the tokens of the source (of a decoder: the prompt).
  public var encoderRepetitionPenalty: Float = 1
  /// Divides the positive scores of tokens that have occurred, and multiplies the negative ones (Keskar et al. 2019, section 4.1).
  public var repetitionPenalty: Float = 1
  /// No sequence of so many tokens occurs twice; 0 is no such rule.
  public var noRepeatNGramSize = 0
  /// No sequence of so many tokens of the source (of a decoder: the prompt) occurs; 0 is no such rule.
  public var encoderNoRepeatNGramSize = 0
  /// Sequences that never occur; an end alone is no such.
  public var badWords: [[Int32]] = []
  /// No end before the sequence is so long: a decoder's counts its prompt, an encoder-decoder's its start token.
  public var minLength = 0
  /// No end before so many new tokens.
  public var minNewTokens = 0
  /// The token that follows the first one of a sequence: an encoder-decoder's start token.
  public var forcedFirstToken: Int32?
  /// The tokens that a sequence ends with where its tokens run out: the most probable of them.
  public var forcedLastTokens: [Int32] = []
  /// True where scores that are not finite are replaced instead of being an error.
  public var removesInvalidScores = false
  /// The growth of the end's score; nil for none.
  public var lengthDecay: LengthDecay?
  /// Tokens that never occur.
  public var suppressedTokens: Set<Int32> = []
  /// Tokens that do not come first.
  public var suppressedFirstTokens: Set<Int32> = []
  /// True where the probabilities that a beam search adds up are made to sum to 1 after all of this.
  public var renormalizes = false

  /// No constraints.
  public init() {}
}
