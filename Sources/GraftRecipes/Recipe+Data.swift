import GraftBatching
import GraftConfiguration
import GraftDatasets

extension Recipe {
  /// The `data:` section.
  public struct Data: Codable, Sendable, Equatable {
    /// The files to train on.
    public var train: FileList?
    /// The files of held-out examples.
    public var eval: FileList?
    /// Instead of `eval`: the share of `train` to keep for it.
    public var evalFraction: Double?
    /// `graft compare`: texts of the kind that the base knows; how much its loss on them rises is the forgetting.
    public var forgetting: FileList?
    /// The format of the records.
    public var format = DataFormat.auto
    /// The files' columns by our names for them, as in `{prompt: question, completion: answer}`.
    public var columns: [String: String] = [:]
    /// The chat template's names of the files' roles, as in `{human: user, gpt: assistant}`.
    public var roles: [String: String] = [:]
    /// The delimiter between the fields of a table; a comma in `.csv`, a tab in `.tsv` where nil.
    public var delimiter: String?
    /// The role of quotes in a table: they enclose fields in `.csv`, and not in `.tsv`, where nil.
    public var quoting: TableQuoting?
    /// True where a table's first row names its columns, which are called `1`, `2` and so on otherwise.
    public var header = true
    /// The kind of the labels of a classification; told from them where nil.
    public var problemType: ClassificationProblem?
    /// The number of a classifier's outputs; as many as the labels ask for where nil.
    public var numLabels: Int?
    /// The names of the classes, in the order of the outputs; told from the checkpoint or the data where nil.
    public var labels: [LabelName]?
    /// The weight of the loss of a class; 1 for every class that is not named.
    public var classWeights: [String: Double]?
    /// The most tokens of an example, and of a packed row.
    public var maxLength = 256
    /// True where examples share rows of `maxLength` tokens.
    public var packing = true
    /// True where only completions, outputs and the assistant's turns carry loss.
    public var completionOnlyLoss = true
    /// True where every epoch has an order of its own.
    public var shuffle = true
    /// True where records are encoded when training comes to them, so that it begins at once and its steps are known only then; nil for JSON Lines
    /// files that are large, in a run of `max_steps`.
    public var streaming: Bool?
    /// The objective of plain texts.
    public var objective = ObjectiveName.auto
    /// The share of a text's tokens that are masked (`masked_lm`) or taken out (`seq2seq_lm`).
    public var corruptionRate = 0.15
    /// The mean number of neighbouring tokens that are taken out together (`seq2seq_lm`).
    public var meanSpanLength = 3.0
    /// True where `masked_lm` pairs sentences and learns which follow each other, too.
    public var nextSentence = false

    /// The section's defaults.
    public init() {}

    package var corruption: TextCorruption { TextCorruption(rate: corruptionRate, meanSpanLength: meanSpanLength) }

    /// The form of tables, the names of their columns, and the format of records.
    package var layout: RecordLayout {
      RecordLayout(
        columns: columns, table: TableLayout(delimiter: delimiter.flatMap(TableLayout.delimiter), quoting: quoting, hasHeader: header),
        format: format)
    }

    /// The weights by which the files of `train` are drawn, where they have some.
    package var mixture: Mixture? {
      guard let weights = train?.weights, !weights.isEmpty else { return nil }
      return Mixture(weights: weights)
    }
  }

  /// An objective of plain texts.
  public enum ObjectiveName: String, ConfigChoice {
    /// The objective that task and format imply.
    case auto
    /// T5's: spans are taken out of texts, to be put back (`seq2seq_lm`).
    case spanCorruption = "span_corruption"
  }
}

/// One file or a list of files, each with a weight perhaps.
public struct FileList: Codable, Sendable, Equatable, ExpressibleByArrayLiteral, ExpressibleByStringLiteral {
  /// The files' paths.
  public var paths: [String]
  /// The number of times that the examples of a file are drawn in an epoch, by its path, where the list has one.
  public var weights: [String: Double] = [:]

  /// Files without weights.
  public init(_ paths: [String]) { self.paths = paths }
  public init(arrayLiteral elements: String...) { self.init(elements) }
  public init(stringLiteral value: String) { self.init([value]) }

  public init(from decoder: any Decoder) throws {
    let tree = try ConfigTree(from: decoder)
    // A file with a weight stands in a list: beside one alone there is nothing to weigh.
    let files = tree.scalar != nil ? [try WeightedFile(from: decoder)] : try [WeightedFile](from: decoder)
    paths = files.map(\.path)
    for case let file in files where file.weight != nil { weights[file.path] = file.weight }
  }

  public func encode(to encoder: any Encoder) throws {
    let files = paths.map { WeightedFile(path: $0, weight: weights[$0]) }
    if files.count == 1 { try files[0].encode(to: encoder) } else { try files.encode(to: encoder) }
  }
}

/// A file of a list: a path, or `{path, weight}`.
private struct WeightedFile: Codable {
  var path: String
  var weight: Double?

  init(path: String, weight: Double?) { (self.path, self.weight) = (path, weight) }

  init(from decoder: any Decoder) throws {
    guard let section = try? decoder.container(keyedBy: CodingKeys.self) else {
      path = try decoder.singleValueContainer().decode(String.self)
      return
    }
    path = try section.decode(String.self, forKey: .path)
    weight = try section.decodeIfPresent(Double.self, forKey: .weight)
  }

  func encode(to encoder: any Encoder) throws {
    guard let weight else { return try path.encode(to: encoder) }
    var section = encoder.container(keyedBy: CodingKeys.self)
    try section.encode(path, forKey: .path)
    try section.encode(weight, forKey: .weight)
  }

  enum CodingKeys: String, CodingKey { case path, weight }
}
