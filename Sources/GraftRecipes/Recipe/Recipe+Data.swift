import GraftBatching
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
    /// What stands between the fields of a table; a comma in `.csv`, a tab in `.tsv` where nil.
    public var delimiter: String?
    /// Whether quotes enclose fields; they do in `.csv`, not in `.tsv` where nil.
    public var quoting: TableQuoting?
    /// Whether a table's first row names its columns, which are called `1`, `2` and so on otherwise.
    public var header = true
    /// What the labels of a classification are; told from them where nil.
    public var problemType: ClassificationProblem?
    /// How many outputs a classifier has; as many as the labels ask for where nil.
    public var numLabels: Int?
    /// The names of the classes, in the order of the outputs; told from the checkpoint or the data where nil.
    public var labels: [LabelName]?
    /// How much the loss of a class counts; 1 for every class that is not named.
    public var classWeights: [String: Double]?
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

    /// How tables are written.
    var tableLayout: TableLayout {
      TableLayout(delimiter: delimiter.flatMap(TableLayout.delimiter), quoting: quoting, hasHeader: header)
    }

    var corruption: TextCorruption { TextCorruption(rate: corruptionRate, meanSpanLength: meanSpanLength) }

    enum CodingKeys: String, CodingKey {
      case train, eval
      case evalFraction = "eval_fraction"
      case forgetting, format, delimiter, quoting, header
      case problemType = "problem_type"
      case numLabels = "num_labels"
      case labels
      case classWeights = "class_weights"
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
