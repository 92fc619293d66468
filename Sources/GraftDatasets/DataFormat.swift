import GraftBatching
import GraftConfiguration
import GraftJSON

extension LearningTask: ConfigChoice {}
extension ClassificationProblem: ConfigChoice {}

/// A form of the records of data files: the columns that they have.
///
/// A program can add formats of its own; a recipe then names them in `data.format`.
public struct DataFormat: Sendable {
  /// The value of `data.format`.
  public let name: String
  /// The columns that a record must have.
  public let required: [String]
  /// The columns that a record may have besides.
  public let optional: [String]
  /// The reading of a program's own format; nil for those of the package.
  let conversion: Conversion?

  /// The reading of records as those of another format.
  final class Conversion: Sendable {
    let format: DataFormat
    let fields: @Sendable (JSONObject) throws -> JSONObject

    init(to format: DataFormat, _ fields: @escaping @Sendable (JSONObject) throws -> JSONObject) {
      self.format = format
      self.fields = fields
    }
  }

  private init(_ name: String, _ required: String..., optional: [String] = []) {
    self.name = name
    self.required = required
    self.optional = optional
    conversion = nil
  }

  /// A format of a program's own, whose records are turned into records of a format of the package.
  ///
  /// - Parameters:
  ///   - name: the value of `data.format`.
  ///   - required: the columns that a record must have.
  ///   - optional: the columns that a record may have besides.
  ///   - target: the format that the records are turned into.
  ///   - fields: turns the columns of a record into those of the target. An error it throws is told with the record's file and line.
  public init(
    _ name: String, required: [String], optional: [String] = [], as target: DataFormat,
    fields: @escaping @Sendable (JSONObject) throws -> JSONObject
  ) {
    self.name = name
    self.required = required
    self.optional = optional
    conversion = Conversion(to: target, fields)
  }

  /// The format that examples are encoded by: that of the package which the records are turned into, or this one.
  public var encoded: DataFormat { conversion?.format ?? self }
}

extension DataFormat {
  /// Told from the keys of the first record.
  public static let auto = DataFormat("auto")
  /// `{"text"}`: a document.
  public static let text = DataFormat("text", "text")
  /// `{"prompt", "completion"}`: the completion carries the loss.
  public static let promptCompletion = DataFormat("prompt_completion", "prompt", "completion")
  /// `{"messages": [{"role", "content"}]}`: a conversation; the assistant's turns carry the loss.
  public static let messages = DataFormat("messages", "messages", optional: ["tools", "system", "documents", "chat_template_kwargs"])
  /// `{"instruction", "input", "output"}`: the output carries the loss.
  public static let alpaca = DataFormat("alpaca", "instruction", "output", optional: ["input"])
  /// `{"text", "label"}`, optionally `text_pair`.
  public static let classification = DataFormat("classification", "text", "label", optional: ["text_pair", "labels"])
  /// `{"source", "target"}`.
  public static let seq2seq = DataFormat("seq2seq", "source", "target")
  /// `{"text", "labels"}`: the words behind the text's masks.
  public static let masked = DataFormat("masked", "text", "labels")
  /// `{"tokens", "labels"}`: a label for every word.
  public static let tokenClassification = DataFormat("token_classification", "tokens", "labels")
  /// `{"prompt"}`: something to complete.
  public static let prompt = DataFormat("prompt", "prompt")
  /// `{"prompt", "chosen", "rejected"}`: a better and a worse answer to a prompt, which lists of messages may also begin with themselves.
  public static let preference = DataFormat("preference", "chosen", "rejected", optional: ["prompt", "tools", "system"])
  /// `{"prompt", "completion", "label"}`: an answer to a prompt, and whether it is good.
  public static let unpairedPreference = DataFormat("unpaired_preference", "prompt", "completion", "label")
  /// `{"ids"}`: tokens.
  public static let ids = DataFormat("ids", "ids")

  private static let registry = Registry(
    "data.format",
    [
      auto, text, promptCompletion, messages, alpaca, classification, seq2seq, masked, tokenClassification, preference, unpairedPreference, prompt,
      ids,
    ]
  ) { $0.name }

  /// Adds a format of the program's own, before it reads a recipe that names it.
  /// - Throws: `RegistryError` where its name is taken.
  public static func register(_ format: DataFormat) throws(RegistryError) { try registry.register(format) }
}

/// Formats are told apart by their names.
extension DataFormat: ConfigChoice {
  public init?(rawValue: String) {
    guard let format = Self.registry[rawValue] else { return nil }
    self = format
  }

  public var rawValue: String { name }

  public static var allCases: [DataFormat] { registry.entries }

  public static func == (a: DataFormat, b: DataFormat) -> Bool { a.name == b.name }

  public func hash(into hasher: inout Hasher) { hasher.combine(name) }
}

extension DataFormat {
  /// The columns of all formats.
  public static var allColumns: [String] {
    allCases.flatMap { $0.required + $0.optional }.reduce(into: []) { if !$0.contains($1) { $0.append($1) } }
  }

  /// Returns true for the name of a column of some format, or of layouts that are told.
  static func isColumn(_ name: String) -> Bool {
    ["conversations", "conversation"].contains(name) || allColumns.contains(name)
  }

  /// Returns true for the name of a column that a record may go without.
  static func isOptional(_ column: String) -> Bool {
    allCases.contains { $0.optional.contains(column) } && !allCases.contains { $0.required.contains(column) }
  }

  /// The format whose columns a record has, the most demanding first; nil when there is none.
  static func detected(in fields: JSONObject, for task: LearningTask? = nil) -> DataFormat? {
    // A text's labels are its classes for one task, and the words behind its masks for another; to be scored it needs none.
    if task == .sequenceClassification, fields.contains("text") { return .classification }
    // A label beside an answer is read by one task only; a prompt and its completion may have become messages.
    if task == .preference, fields.contains("label"), !fields.contains("chosen") { return .unpairedPreference }
    let candidates: [DataFormat] = [
      .preference, .promptCompletion, .messages, .alpaca, .seq2seq, .classification, .tokenClassification, .masked, .text, .prompt,
      .ids,
    ]
    return candidates.first { $0.required.allSatisfy(fields.contains) }
  }

  /// A record's columns as an error message lists them.
  static var knownColumns: String {
    allCases.filter { $0 != .auto }.map { "{" + $0.required.joined(separator: ", ") + "}" }.joined(
      separator: ", ")
  }
}
