import Foundation
import GraftBatching
import GraftDatasets
import GraftJSON
import GraftLayers
import GraftTokenizers

/// The records of files, encoded for a task.
enum DataPreparation {
  /// The records of all files, in order.
  static func records(of paths: [String]) throws -> [DataRecord] { try paths.flatMap { try DataFile.records(of: $0) } }

  /// An encoder for a model and a task, with the tokenizer's own chat template.
  static func encoder(
    _ tokenizer: Tokenizer, for model: any Model, task: LearningTask, format: DataFormat = .auto, maxLength: Int? = nil,
    completionOnlyLoss: Bool = true, cutsTextsIntoWindows: Bool = false, labels: LabelScheme? = nil,
    maskingSeed: UInt64 = 0, corruption: TextCorruption = TextCorruption(), pairsSentences: Bool = false
  ) throws -> ExampleEncoder {
    guard task != .causalLM || model.attentionStyle != .bidirectional else {
      throw SessionError(
        .usage, "model.attention: bidirectional shows every token the one that causal_lm asks it to predict; use prefix, or a classification task")
    }
    return ExampleEncoder(
      tokenizer: tokenizer, task: task, format: format, maxLength: maxLength, completionOnlyLoss: completionOnlyLoss,
      cutsTextsIntoWindows: cutsTextsIntoWindows, labels: labels, usesTypeIDs: pairsSentences || usesTypeIDs(tokenizer),
      marksPrompts: model.attentionStyle == .prefix,
      maskingSeed: maskingSeed, corruption: corruption, pairsSentences: pairsSentences, renderChat: try chatRenderer(tokenizer))
  }

  /// Whether segments are told apart: what the tokenizer's files say, else whether its class does so.
  private static func usesTypeIDs(_ tokenizer: Tokenizer) -> Bool {
    tokenizer.configuration.modelInputNames.map { $0.contains("token_type_ids") } ?? (tokenizer.configuration.tokenizerClass ?? "").hasPrefix("BertTokenizer")
  }

  /// Finds what the model has no table entries for, naming the record's line.
  /// - Throws: `SequenceError` for a token or a length, `SessionError` for a label beyond the model's.
  static func check(_ examples: [EncodedExample], of records: [DataRecord], for model: any Model) throws {
    for (index, example) in examples.enumerated() {
      // Texts that were cut into windows no longer stand beside their records.
      let place = examples.count == records.count ? "\(records[index].file):\(records[index].line)" : records.first?.file ?? "data"
      try model.check(example.tokens, of: place, isTarget: example.source != nil)
      if let source = example.source { try model.check(source, of: place) }
      if case .class(let label)? = example.label, let classifier = model as? any SequenceClassifier, label >= classifier.labelCount {
        throw SessionError(.data, "\(place): label \(label) is beyond the model's \(classifier.labelCount); name the labels or correct them")
      }
    }
  }

  /// Renders conversations through the tokenizer's chat template; nil where it has none.
  static func chatRenderer(_ tokenizer: Tokenizer) throws -> ExampleEncoder.ChatRenderer? {
    guard let source = tokenizer.configuration.chatTemplate else { return nil }
    let template = try ChatTemplate(source), tokens = tokenizer.configuration.namedSpecialTokens
    return { messages, tools, addsGenerationPrompt in
      let chat = try template.render(messages: messages, tools: tools?.array, addGenerationPrompt: addsGenerationPrompt, specialTokens: tokens)
      return GraftDatasets.RenderedChat(text: chat.text, assistantRanges: chat.assistantSpans.isEmpty ? nil : chat.assistantSpans)
    }
  }

  /// The labels of a classification: the checkpoint's own where the data uses no others, else what the data holds.
  static func labels(task: LearningTask, configuration: JSON, records: [DataRecord]) throws -> LabelScheme? {
    guard task == .sequenceClassification || task == .tokenClassification else { return nil }
    let named = configuredLabels(configuration)
    let used = records.flatMap { record -> [String] in
      let value = record.fields["label"] ?? record.fields["labels"]
      return (value?.array ?? [value ?? .null]).compactMap(\.string)
    }
    if !named.isEmpty, !used.isEmpty, Set(used).isSubset(of: named) { return LabelScheme(names: named) }
    return try LabelScheme.inferred(from: records)
  }

  /// The label names of a configuration, in the order of their indices.
  static func configuredLabels(_ configuration: JSON) -> [String] {
    let pairs = (configuration["id2label"]?.object ?? JSONObject()).compactMap { key, value in
      Int(key).flatMap { index in value.string.map { (index, $0) } }
    }
    return pairs.sorted { $0.0 < $1.0 }.map(\.1)
  }

  /// What the rows of a task's batches are asked to predict.
  static func objective(_ task: LearningTask, for model: any Model) -> BatchObjective {
    switch task {
    case .causalLM: .nextToken
    case .seq2seqLM: .shiftedRight(startID: (model as? any SequenceToSequenceModel)?.decoderStartID ?? 0)
    case .maskedLM, .tokenClassification: .tokenLabels
    case .sequenceClassification: .labels
    }
  }
}
