import GraftConfiguration
import GraftDatasets

extension Recipe {
  /// The `data:` section.
  public struct Data: Codable, Sendable, Equatable {
    public var train: FileList?
    public var eval: FileList?
    /// Instead of `eval`: the share of `train` to keep for it.
    public var evalFraction: Double?
    /// `graft compare`: texts of the kind that the base knows; how much its loss on them rises is the forgetting.
    public var forgetting: FileList?
    public var format = DataFormat.auto
    /// The most tokens of an example, and of a packed row.
    public var maxLength = 256
    public var packing = true
    /// Whether only completions, outputs and the assistant's turns carry loss.
    public var completionOnlyLoss = true
    public var shuffle = true
    /// What is learned from plain texts.
    public var objective = ObjectiveName.auto
    /// The share of a text's tokens that are masked (`masked_lm`) or taken out (`seq2seq_lm`).
    public var corruptionRate = 0.15
    /// The mean number of neighbouring tokens that are taken out together (`seq2seq_lm`).
    public var meanSpanLength = 3.0
    /// Whether `masked_lm` pairs sentences and learns which follow each other, too.
    public var nextSentence = false

    public init() {}

    var corruption: TextCorruption { TextCorruption(rate: corruptionRate, meanSpanLength: meanSpanLength) }

    enum CodingKeys: String, CodingKey {
      case train, eval
      case evalFraction = "eval_fraction"
      case forgetting, format
      case maxLength = "max_length"
      case packing
      case completionOnlyLoss = "completion_only_loss"
      case shuffle, objective
      case corruptionRate = "corruption_rate"
      case meanSpanLength = "mean_span_length"
      case nextSentence = "next_sentence"
    }
  }

  public enum ObjectiveName: String, ConfigChoice {
    /// What task and format imply.
    case auto
    /// T5's: spans are taken out of texts, to be put back (`seq2seq_lm`).
    case spanCorruption = "span_corruption"
  }
}

/// One file or a list of files.
public struct FileList: Codable, Sendable, Equatable, ExpressibleByArrayLiteral, ExpressibleByStringLiteral {
  public var paths: [String]

  public init(_ paths: [String]) { self.paths = paths }
  public init(arrayLiteral elements: String...) { self.init(elements) }
  public init(stringLiteral value: String) { self.init([value]) }

  public init(from decoder: any Decoder) throws {
    let tree = try ConfigTree(from: decoder)
    paths =
      tree.sequence == nil ? [try decoder.singleValueContainer().decode(String.self)] : try [String](from: decoder)
  }

  public func encode(to encoder: any Encoder) throws {
    if paths.count == 1 { try paths[0].encode(to: encoder) } else { try paths.encode(to: encoder) }
  }
}
