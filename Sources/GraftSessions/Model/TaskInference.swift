import GraftBatching
import GraftCheckpoints
import GraftDatasets
import GraftJSON
import GraftModels

extension LearningTask {
  /// The task of a checkpoint: that of the class which its configuration names, otherwise its family's.
  public init(of configuration: JSON) {
    let architecture = configuration["architectures"]?[0]?.string ?? ""
    let family = ModelFamily.named(by: configuration)?.tasks.first ?? .causalLM
    // A language model's head is that of the family: `GPT2LMHeadModel`, and `T5WithLMHeadModel` of old.
    let endings: [(String, LearningTask)] = [
      ("ForSequenceClassification", .sequenceClassification), ("ForTokenClassification", .tokenClassification), ("ForMaskedLM", .maskedLM),
      ("ForPreTraining", .maskedLM), ("ForConditionalGeneration", .seq2seqLM), ("ForCausalLM", .causalLM), ("LMHeadModel", family),
    ]
    self = endings.first { architecture.hasSuffix($0.0) }?.1 ?? family
  }

  /// The task that a checkpoint learns from data files: its own, but for an encoder whose data have labels.
  /// - Throws: `CheckpointError` and `DatasetError` for files that cannot be read.
  public init(ofModelIn directory: String, data paths: [String]) throws {
    self.init(of: try Checkpoint.configuration(in: HubCache().directory(of: directory)))
    guard self == .maskedLM, let record = try DataPreparation.records(of: paths).first else { return }
    func isOf(_ format: DataFormat) -> Bool { format.required.allSatisfy { record.fields[$0] != nil } }
    if isOf(.tokenClassification) { self = .tokenClassification } else if isOf(.classification) { self = .sequenceClassification }
  }

  /// PEFT's name of the task.
  var peftName: String {
    switch self {
    case .causalLM, .preference: "CAUSAL_LM"
    case .seq2seqLM: "SEQ_2_SEQ_LM"
    case .sequenceClassification: "SEQ_CLS"
    case .tokenClassification: "TOKEN_CLS"
    case .maskedLM: "FEATURE_EXTRACTION"
    }
  }

  /// The task that an adapter's `task_type` asks a base for; nil where any will do.
  init?(peftName: String?) {
    switch peftName {
    case "SEQ_CLS": self = .sequenceClassification
    case "TOKEN_CLS": self = .tokenClassification
    default: return nil
    }
  }
}
