import GraftBatching
import GraftConfiguration
import GraftJSON

extension LearningTask: ConfigChoice {}
extension ClassificationProblem: ConfigChoice {}

/// The format of a data file's lines.
public enum DataFormat: String, ConfigChoice {
  /// Told from the keys of the first record.
  case auto
  /// `{"text"}`: a document.
  case text
  /// `{"prompt", "completion"}`: the completion carries the loss.
  case promptCompletion = "prompt_completion"
  /// `{"messages": [{"role", "content"}]}`: a conversation; the assistant's turns carry the loss.
  case messages
  /// `{"instruction", "input", "output"}`: the output carries the loss.
  case alpaca
  /// `{"text", "label"}`, optionally `text_pair`.
  case classification
  /// `{"source", "target"}`.
  case seq2seq
  /// `{"text", "labels"}`: the words behind the text's masks.
  case masked
  /// `{"tokens", "labels"}`: a label for every word.
  case tokenClassification = "token_classification"
  /// `{"prompt"}`: something to complete.
  case prompt
  /// `{"ids"}`: tokens.
  case ids
}

extension DataFormat {
  /// The columns a record must have, and those it may have besides.
  var columns: (required: [String], optional: [String]) {
    switch self {
    case .auto: ([], [])
    case .text: (["text"], [])
    case .promptCompletion: (["prompt", "completion"], [])
    case .messages: (["messages"], ["tools", "system", "documents", "chat_template_kwargs"])
    case .alpaca: (["instruction", "output"], ["input"])
    case .classification: (["text", "label"], ["text_pair", "labels"])
    case .seq2seq: (["source", "target"], [])
    case .masked: (["text", "labels"], [])
    case .tokenClassification: (["tokens", "labels"], [])
    case .prompt: (["prompt"], [])
    case .ids: (["ids"], [])
    }
  }

  /// The columns of all formats.
  public static var allColumns: [String] {
    allCases.flatMap { $0.columns.required + $0.columns.optional }.reduce(into: []) { if !$0.contains($1) { $0.append($1) } }
  }

  /// Returns true for the name of a column of some format, or of layouts that are told.
  static func isColumn(_ name: String) -> Bool {
    ["conversations", "conversation"].contains(name) || allColumns.contains(name)
  }

  /// Returns true for the name of a column that a record may go without.
  static func isOptional(_ column: String) -> Bool {
    allCases.contains { $0.columns.optional.contains(column) } && !allCases.contains { $0.columns.required.contains(column) }
  }

  /// The format whose columns a record has, the most demanding first; nil when there is none.
  static func detected(in fields: JSONObject, for task: LearningTask? = nil) -> DataFormat? {
    // A text's labels are its classes for one task, and the words behind its masks for another; to be scored it needs none.
    if task == .sequenceClassification, fields.contains("text") { return .classification }
    let candidates: [DataFormat] = [
      .promptCompletion, .messages, .alpaca, .seq2seq, .classification, .tokenClassification, .masked, .text, .prompt,
      .ids,
    ]
    return candidates.first { $0.columns.required.allSatisfy(fields.contains) }
  }

  /// A record's columns as an error message lists them.
  static var knownColumns: String {
    allCases.filter { $0 != .auto }.map { "{" + $0.columns.required.joined(separator: ", ") + "}" }.joined(
      separator: ", ")
  }
}
