import GraftBatching
import GraftJSON

/// Turns records into token ids with the tokens that carry loss marked.
///
/// A text is tokenized together with the end-of-sequence token's text behind it, and with the special tokens that the
/// tokenizer adds. A prompt and its completion are tokenized as one text; the completion begins where the tokens part
/// from those of the prompt alone. A conversation is rendered by its chat template, which writes every special token
/// itself.
public struct ExampleEncoder: Sendable {
  /// The tokenizer of the model.
  public var tokenizer: any TextTokenizer
  /// The task that examples are for.
  public var task: LearningTask
  /// The layout of the records; `auto` tells it from their keys.
  public var format: DataFormat
  /// The most tokens of an example; nil does not cut.
  public var maxLength: Int?
  /// True where prompts, instructions and the user's turns go without loss.
  public var completionOnlyLoss: Bool
  /// True where texts longer than `maxLength` become several examples instead of a shorter one, as `.txt` documents do.
  public var cutsTextsIntoWindows: Bool
  /// A classifier's labels; nil where examples have none.
  public var labels: LabelScheme?
  /// True where records have to have labels; otherwise texts are classified without them.
  public var requiresLabels = true
  /// True where the model reads segment ids.
  public var usesTypeIDs: Bool
  /// True where the prompt's tokens see each other in both directions.
  public var marksPrompts: Bool
  /// The seed of the choice of tokens that are masked or taken out of a text without masks.
  public var maskingSeed: UInt64
  /// The share of a text that is masked or taken out.
  public var corruption: TextCorruption
  /// True where masked texts are paired, to be told apart by whether the second follows the first.
  public var pairsSentences: Bool
  /// The model's chat template; nil where it has none.
  public var renderChat: ChatRenderer?
  /// The chat template's names of the data's roles, beside those that are known anyway.
  public var roles: [String: String]
  /// The notes on the data.
  public let notes: DataNotes

  /// - Parameters:
  ///   - maxLength: the most tokens of an example; nil does not cut.
  ///   - labels: a classifier's labels.
  ///   - renderChat: the model's chat template.
  public init(
    tokenizer: any TextTokenizer, task: LearningTask, format: DataFormat = .auto, maxLength: Int? = nil,
    completionOnlyLoss: Bool = true, cutsTextsIntoWindows: Bool = false, labels: LabelScheme? = nil,
    usesTypeIDs: Bool = false, marksPrompts: Bool = false, maskingSeed: UInt64 = 0,
    corruption: TextCorruption = TextCorruption(), pairsSentences: Bool = false, renderChat: ChatRenderer? = nil,
    roles: [String: String] = [:], notes: DataNotes = DataNotes()
  ) {
    self.tokenizer = tokenizer
    self.task = task
    self.format = format
    self.maxLength = maxLength
    self.completionOnlyLoss = completionOnlyLoss
    self.cutsTextsIntoWindows = cutsTextsIntoWindows
    self.labels = labels
    self.usesTypeIDs = usesTypeIDs
    self.marksPrompts = marksPrompts
    self.maskingSeed = maskingSeed
    self.corruption = corruption
    self.pairsSentences = pairsSentences
    self.renderChat = renderChat
    self.roles = roles
    self.notes = notes
  }

  /// The format of a record: the one given, or what its keys say.
  public func format(of record: DataRecord) throws(DatasetError) -> DataFormat {
    let format: DataFormat
    if self.format != .auto {
      format = self.format
    } else {
      guard let detected = DataFormat.detected(in: record.fields, for: task) else {
        throw record.error(
          "the keys \(record.columnList) are of no known format",
          record.headerAdvice ?? "use those of one of \(DataFormat.knownColumns), or name the columns in data.columns")
      }
      format = detected
    }
    guard task.formats.contains(format) else {
      throw record.error(
        "records of the format '\(format.rawValue)' are not for the task '\(task.rawValue)'",
        "use \(task.formats.map { "'\($0.rawValue)'" }.joined(separator: ", ")), or change the task")
    }
    return format
  }

  /// The example of one record, whole: nothing is cut, whatever `maxLength`. `index` is the record's number.
  public func encode(_ record: DataRecord, index: Int = 0) throws -> EncodedExample {
    try encode(record, index: index, cutTo: nil).example
  }

  /// The example of one record, and whether it was cut to `maxLength`: that are classified texts and sources with their
  /// targets, which are not read in windows.
  public func encodeCut(_ record: DataRecord, index: Int) throws -> (example: EncodedExample, isCut: Bool) {
    let length = task == .sequenceClassification || task == .seq2seqLM ? maxLength : nil
    let cut = try encode(record, index: index, cutTo: length)
    return (cut.example, length.map { cut.wholeLength > $0 } ?? false)
  }

  /// The example of one record, cut to a length where its task has it cut before anything else is done with it: all but
  /// causal language modelling.
  func encode(_ record: DataRecord, index: Int, cutTo length: Int?) throws -> CutExample {
    let format = try format(of: record)
    if format != .messages, !record.comparesMessages { noteUnreadKeys(of: record, format) }
    switch (task, format) {
    case (.causalLM, .text): return CutExample(text(try record.text("text")))
    case (.causalLM, .prompt): return CutExample(prompt(try record.text("prompt")))
    case (.causalLM, .ids): return CutExample(EncodedExample(tokens: try record.ids("ids"), isScored: nil).withoutLossOnFirst())
    case (.causalLM, .messages): return CutExample(try messages(record))
    case (.causalLM, let format):
      let (prompt, completion) = try record.promptAndCompletion(format)
      return CutExample(self.prompt(prompt, completion: completion))
    case (.seq2seqLM, .text):
      guard let example = try spanCorrupted(record, index: index).first else { throw record.error("the text has no tokens", "write a text") }
      return CutExample(example)
    case (.seq2seqLM, let format):
      let (source, target) = try record.promptAndCompletion(format)
      let texts = [source, target].map { tokenized($0) }
      let example = EncodedExample(tokens: tokenizer.cut(texts[1], to: length).ids, source: tokenizer.cut(texts[0], to: length).ids)
      return CutExample(example, wholeLength: texts.map(\.ids.count).max())
    case (.maskedLM, .masked): return try masked(record, cutTo: length)
    case (.maskedLM, _):
      let text = tokenized(try record.text("text"))
      return CutExample(try randomlyMasked(tokenizer.cut(text, to: length), record: record, index: index), wholeLength: text.ids.count)
    case (.sequenceClassification, _): return try classified(record, cutTo: length)
    case (.tokenClassification, _): return try wordsClassified(record, cutTo: length)
    case (.preference, .unpairedPreference): return CutExample(try judgedAnswer(record))
    case (.preference, _): return try comparedAnswers(record)
    }
  }
}

extension ExampleEncoder {
  /// Says which columns of a record the format has no use for.
  private func noteUnreadKeys(of record: DataRecord, _ format: DataFormat) {
    let columns = format.required + format.optional
    notes.sayUnread(record.fields.keys.filter { !columns.contains($0) }, "keys", of: record.file)
  }
}

/// An example and what was left out of its record.
struct CutExample: Sendable {
  var example: EncodedExample
  /// Its length in tokens before it was cut.
  var wholeLength: Int
  /// Masks, with the words behind them, that stood beyond the cut.
  var lostMaskCount: Int

  init(_ example: EncodedExample, wholeLength: Int? = nil, lostMaskCount: Int = 0) {
    self.example = example
    self.wholeLength = wholeLength ?? example.packedLength
    self.lostMaskCount = lostMaskCount
  }
}

extension LearningTask {
  /// The formats that have what the task needs.
  var formats: [DataFormat] {
    switch self {
    case .causalLM: [.text, .promptCompletion, .messages, .alpaca, .prompt, .ids]
    case .seq2seqLM: [.seq2seq, .promptCompletion, .alpaca, .text]
    case .maskedLM: [.masked, .text]
    case .sequenceClassification: [.classification]
    case .tokenClassification: [.tokenClassification]
    case .preference: [.preference, .unpairedPreference]
    }
  }
}

extension DataRecord {
  /// The two texts of a record that has a question and an answer in it.
  func promptAndCompletion(_ format: DataFormat) throws(DatasetError) -> (prompt: String, completion: String) {
    switch format {
    case .alpaca:
      (AlpacaPrompt.text(instruction: try text("instruction"), input: try optionalText("input")), try text("output"))
    case .seq2seq: (try text("source"), try text("target"))
    default: (try text("prompt"), try text("completion"))
    }
  }

  func ids(_ key: String) throws(DatasetError) -> [Int32] {
    var ids: [Int32] = []
    for element in try array(key) {
      guard let id = element.int.flatMap(Int32.init(exactly:)), id >= 0 else {
        throw wrongType(key, "a list of token ids", element)
      }
      ids.append(id)
    }
    return ids
  }
}

/// The prompt of Stanford Alpaca's data (Taori et al., 2023).
enum AlpacaPrompt {
  static func text(instruction: String, input: String?) -> String {
    guard let input, !input.isEmpty else {
      return """
        Below is an instruction that describes a task. Write a response that appropriately completes the request.

        ### Instruction:
        \(instruction)

        ### Response:

        """
    }
    return """
      Below is an instruction that describes a task, paired with an input that provides further context. \
      Write a response that appropriately completes the request.

      ### Instruction:
      \(instruction)

      ### Input:
      \(input)

      ### Response:

      """
  }
}
