import GraftBatching
import GraftConfiguration
import GraftLayers
import GraftTensors

/// The state that every recurrent layer begins a sequence with is trained: what prefix tuning is for a model without attention.
///
/// Galim et al. 2025, "Parameter-efficient fine-tuning of state space models"; known as state tuning from RWKV. The base begins
/// with zeros, and so does the method, but for RWKV-4, whose state is a mean: there one token of zeros stands before every sequence.
public struct StateTuning: TuningMethod {
  public static let name = "STATE_TUNING"
  public static let defaultLearningRate = 1e-2
  public static let card = MethodCard(
    title: "initial-state tuning", formula: "the state before the first token", parameters: "a state a recurrent layer",
    seam: "recurrent layers (Mamba, RWKV)", source: "Galim et al. 2025")

  /// A text that the states start as if they had read; zeros where nil.
  package var initText: String?
  /// Modules that are trained and stored whole.
  public var modulesToSave: [String]?

  public init() {}

  public var isMergeable: Bool { false }

  public func attach(to sites: SiteCatalog, in attachment: Attachment) throws {
    let recurrences = sites.sites.compactMap(\.recurrence)
    guard !recurrences.isEmpty else {
      throw TuningError("STATE_TUNING: \(sites.modelType ?? "this model") has no recurrent layers, so no states to begin with; take PREFIX_TUNING")
    }
    let read = try attachment.isLoading ? nil : initText.map { try state(behind: $0, attachment) }
    for recurrence in recurrences {
      let start = try (attachment.scope / recurrence.path).parameter("initial_state", [1, recurrence.startSize], .zeros)
      if let read {
        guard let values = recurrence.values(of: read) else { throw TuningError("init_text: \(recurrence.path) keeps no state to start from") }
        start.assign(values)
      }
      try attachment.fill(recurrence, with: Start(start))
    }
    try attachment.adoptModules(modulesToSave ?? [], of: sites)
  }

  /// The states behind a text.
  private func state(behind text: String, _ attachment: Attachment) throws -> SequenceState {
    guard let tokenize = attachment.services.tokenize, let run = attachment.services.run else {
      throw TuningError("init_text: needs a tokenizer and a model that can be run")
    }
    let tokens = try tokenize(text)
    guard !tokens.isEmpty else { throw TuningError("init_text: has no tokens") }
    let state = SequenceState(sequences: 1)
    run(SequenceInput([tokens]), Pass(state: state))
    return state
  }
}

/// One layer's state.
private final class Start: StartAdapter {
  private let start: Parameter

  init(_ start: Parameter) { self.start = start }

  func values(_ pass: Pass) -> Tensor { start.operand }
}
