import Foundation
import GraftBatching
import GraftCheckpoints
import GraftDatasets
import GraftJSON
import GraftLayers
import GraftTemplates
import GraftRecipes
import GraftTokenizers

/// The records of files, encoded for a task.
package enum DataPreparation {
  /// The records of all files, in order, under our names for their columns.
  package static func records(of paths: [String], layout: RecordLayout = RecordLayout(), notes: DataNotes = DataNotes()) throws -> [DataRecord] {
    let records = try DataFile.expanded(paths).flatMap { try DataFile.records(of: $0, layout: layout.table) }
    notes.sayLongRows(records)
    return try layout.applied(to: records, notes)
  }

  /// The records of a recipe's files, in order; those of large files stay there.
  static func records(of files: FileList?, _ data: Recipe.Data, notes: DataNotes) throws -> RecordList {
    // What is to be streamed need not be in memory, however small it is.
    try RecordList(
      of: files?.paths ?? [], layout: data.layout, notes: notes, readingLimit: data.streaming == true ? 0 : DataFile.readingLimit)
  }

  /// An encoder for a model and a task, with the tokenizer's own chat template.
  package static func encoder(
    _ tokenizer: Tokenizer, for model: any Model, task: LearningTask, format: DataFormat = .auto, maxLength: Int? = nil,
    completionOnlyLoss: Bool = true, cutsTextsIntoWindows: Bool = false, labels: LabelScheme? = nil,
    maskingSeed: UInt64 = 0, corruption: TextCorruption = TextCorruption(), pairsSentences: Bool = false, roles: [String: String] = [:],
    notes: DataNotes = DataNotes()
  ) throws -> ExampleEncoder {
    guard task.ofModel != .causalLM || model.attentionStyle != .bidirectional else {
      throw SessionError(
        .usage,
        "model.attention: bidirectional shows every token the one that \(task.rawValue) asks it to predict; use prefix, or a classification task")
    }
    return ExampleEncoder(
      tokenizer: tokenizer, task: task, format: format, maxLength: maxLength, completionOnlyLoss: completionOnlyLoss,
      cutsTextsIntoWindows: cutsTextsIntoWindows, labels: labels,
      usesTypeIDs: (pairsSentences || usesTypeIDs(tokenizer, of: model)) && model.segmentCount > 1,
      marksPrompts: model.attentionStyle == .prefix,
      maskingSeed: maskingSeed, corruption: corruption, pairsSentences: pairsSentences, renderChat: chatRenderer(tokenizer),
      roles: roles, notes: notes)
  }

  /// An encoder for the data of a run.
  static func encoder(
    _ settings: RunSettings, _ tokenizer: Tokenizer, for model: any Model, labels: LabelScheme?, notes: DataNotes
  ) throws -> ExampleEncoder {
    let data = settings.recipe.data
    return try encoder(
      tokenizer, for: model, task: settings.recipe.task, format: data.objective == .spanCorruption ? .text : data.format.encoded,
      maxLength: data.maxLength, completionOnlyLoss: data.completionOnlyLoss, cutsTextsIntoWindows: data.packing, labels: labels,
      maskingSeed: settings.seed, corruption: data.corruption, pairsSentences: data.nextSentence, roles: data.roles, notes: notes)
  }

  /// Returns true where segments are told apart: what the tokenizer's files say, else whether its class does so, which is that of the
  /// model's family where they name none.
  private static func usesTypeIDs(_ tokenizer: Tokenizer, of model: any Model) -> Bool {
    if let names = tokenizer.configuration.modelInputNames { return names.contains("token_type_ids") }
    guard let name = tokenizer.configuration.tokenizerClass else { return model.family?.traits.contains(.marksSegments) ?? false }
    return ["BertTokenizer", "ElectraTokenizer"].contains(name.hasSuffix("Fast") ? String(name.dropLast(4)) : name)
  }

  /// Finds what the model has no table entries for, naming the record's line.
  /// - Throws: `SequenceError` for a token or a length, `SessionError` for a label beyond the model's.
  package static func check(_ examples: [EncodedExample], of records: [DataRecord], for model: any Model) throws {
    for (index, example) in examples.enumerated() {
      // Texts that were cut into windows no longer stand beside their records.
      let place = examples.count == records.count ? "\(records[index].file):\(records[index].line)" : records.first?.file ?? "data"
      try check(example, at: place, for: model)
    }
  }

  /// Finds what the model has no table entries for, naming the record's line.
  ///
  /// - Throws: as for records in memory, and what reading a record throws.
  static func check(_ data: EncodedDataset, of records: RecordList, for model: any Model) throws {
    for (example, record) in zip(data.examples, data.records) { try check(example, of: record, in: records, for: model) }
  }

  /// - Parameter record: the number of the record that the example comes of.
  static func check(_ example: EncodedExample, of record: Int, in records: RecordList, for model: any Model) throws {
    do { try check(example, at: records.file(of: record), for: model) } catch {
      // Only what is refused is worth reading its record for: it says the line.
      let record = try records[record]
      try check(example, at: record.isDocument ? record.file : "\(record.file):\(record.line)", for: model)
    }
  }

  static func check(_ example: EncodedExample, at place: String, for model: any Model) throws {
    try model.check(example.tokens, typeIDs: example.typeIDs, of: place, isTarget: example.source != nil)
    if let source = example.source { try model.check(source, of: place) }
    if let other = example.contrast { try check(other, at: place, for: model) }
    if let label = example.label?.largestClass, let classifier = model as? any SequenceClassifier, label >= classifier.labelCount {
      throw SessionError(.data, "\(place): label \(label) is beyond the model's \(classifier.labelCount); name the labels or correct them")
    }
  }

  /// The limits that `check` knows, as a text.
  static func limits(of model: any Model) -> String {
    let labels = (model as? any SequenceClassifier)?.labelCount ?? 0
    return "\(model.vocabularySize) \(model.segmentCount) \(model.maximumLength ?? 0) \(model.catalog.virtualTokenCount) "
      + "\(model.catalog.targetVirtualTokenCount) \(labels)"
  }

  /// Renders conversations through the tokenizer's chat templates, the one for tools where there are some; nil where it has none.
  static func chatRenderer(_ tokenizer: Tokenizer) -> ChatRenderer? {
    let configuration = tokenizer.configuration
    let tokens = configuration.namedSpecialTokens
    guard !configuration.chatTemplates.isEmpty else { return nil }
    func template(withTools: Bool) -> Result<ChatTemplate, any Error> {
      Result {
        guard let source = configuration.chatTemplate(withTools: withTools) else {
          let names = configuration.chatTemplates.keys.sorted().map { "\"\($0)\"" }.joined(separator: ", ")
          throw SessionError(
            .data,
            "chat_template: the model has the templates \(names), none of which is the default; put the one that is meant into chat_template.jinja")
        }
        return try ChatTemplate(source)
      }
    }
    let plain = template(withTools: false)
    let withTools = template(withTools: true)
    return ChatRenderer(source: configuration.chatTemplates.values.sorted().joined(separator: "\n")) { request in
      try (request.tools == nil ? plain : withTools).get().render(
        messages: request.messages, tools: request.tools, documents: request.documents, addGenerationPrompt: request.addsGenerationPrompt,
        specialTokens: tokens, variables: request.variables)
    }
  }

  /// The labels of a classification, as recipe, checkpoint and data have them; nil for another task.
  package static func labels(_ recipe: Recipe, records: RecordList) throws -> DecidedLabels? {
    guard recipe.task == .sequenceClassification || recipe.task == .tokenClassification else { return nil }
    var settings = LabelSettings(recipe.data, configuration: try TrainableBase.configuration(of: recipe))
    if let adapter = recipe.initialAdapter, let state = try AdapterFile.read(adapter).adapter().training?.state,
      let trained = LabelScheme(state: state)
    {
      settings.checkpoint = CheckpointLabels(names: trained.names, problem: trained.problem)
    }
    return try settings.decided(for: records, isPerToken: recipe.task == .tokenClassification)
  }

  /// The objective of the rows of a task's batches.
  package static func objective(_ task: LearningTask, for model: any Model) -> BatchObjective {
    switch task {
    case .causalLM: .nextToken
    case .preference: .answers
    case .seq2seqLM: .shiftedRight(startID: (model as? any SequenceToSequenceModel)?.decoderStartID ?? 0)
    case .maskedLM, .tokenClassification: .tokenLabels
    case .sequenceClassification: .labels
    }
  }
}

extension ExampleLabel {
  /// The largest of its classes; nil for numbers.
  fileprivate var largestClass: Int? {
    switch self {
    case .class(let index): index
    case .classes(let indices): indices.max()
    case .value, .values: nil
    }
  }
}
