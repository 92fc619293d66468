import GraftGeneration
import GraftJSON
import GraftLayers
import GraftTokenizers

/// A conversation with a model, rendered by the model's own chat template and growing turn by turn.
public final class ChatSession {
  private let session: ModelSession
  private let format: ChatFormat
  private let adapters: ChatAdapters?
  private let planEndIDs: Set<Int32>
  private var settings: SamplingSettings
  private let stops: [String]
  /// Remarks on how the checkpoint's wishes were taken, a sentence each.
  public let notes: [String]
  private var conversation: Conversation
  private var history: ChatHistory
  /// The adapter that answers, by its name; nil for the model without one.
  public private(set) var adapter: String?
  private var turn = 0

  /// - Parameters:
  ///   - system: what the conversation starts with.
  ///   - adapters: the adapters to switch between; nil leaves the model as it is.
  ///   - adapter: the one of them that answers; nil for the model without one.
  ///   - plan: how replies are written; they come as they are written, so that a search with beams is left out.
  /// - Throws: `SessionError` for a model without a chat template, `GenerationError` for one that is no decoder.
  public init(_ session: ModelSession, system: String? = nil, adapters: ChatAdapters? = nil, adapter: String? = nil, _ plan: GenerationPlan) throws {
    var settings = plan.settings
    settings.beams = nil
    (self.session, self.settings, stops) = (session, settings, plan.stops)
    notes = plan.notes + (plan.settings.beams.map { ["num_beams \($0.count) without effect: a reply is shown as it is written"] } ?? [])
    format = try ChatFormat(session)
    try adapters?.activate(adapter)
    (self.adapters, self.adapter, planEndIDs) = (adapters, adapter, plan.endIDs)
    conversation = try Conversation(with: session.model, endIDs: plan.endIDs.union(format.endIDs))
    history = ChatHistory(system: system)
  }

  /// An answer, and the change of the conversation for it.
  public struct Reply: Sendable, Equatable {
    /// The text of the answer.
    public var text: String
    /// True where it was cut: by `max_new_tokens`, or by the end of the model's positions.
    public var isCut: Bool
    /// The number of messages, the oldest, that were dropped so that the conversation fits the model's positions.
    public var droppedCount: Int
  }

  /// Answers a message; both become part of the conversation.
  ///
  /// - Parameters:
  ///   - isInterrupted: asked after every token; true ends the reply there.
  ///   - onText: told of each whole character as soon as it is certain.
  /// - Throws: `SessionError` where the message alone is too long or the logits are not finite, `ChatTemplateError` where the
  ///   template refuses the conversation; the message is then no part of it.
  public func reply(
    to message: String, isInterrupted: () -> Bool = { false }, onText: (String) -> Void = { _ in }
  ) throws -> Reply {
    try adapters?.activate(adapter)
    var grown = history
    grown.append(role: "user", message)
    let (prompt, droppedCount) = try fit(&grown)
    try session.model.check(prompt, of: session.path)
    var settings = settings
    settings.maxLength = nil
    if let limit = positionLimit { settings.maxNewTokens = min(settings.maxNewTokens, max(1, limit - prompt.count)) }
    var written = WrittenText(format.tokenizer, stops: stops)
    var wasInterrupted = false
    let tokens = try session.naming {
      try conversation.reply(to: prompt, settings, turn: turn) { token in
        let piece = written.append(token)
        if !piece.isEmpty { onText(piece) }
        wasInterrupted = isInterrupted()
        return wasInterrupted || written.hasStopped
      }
    }
    let rest = written.finish()
    if !rest.isEmpty { onText(rest) }
    turn += 1
    let text = WrittenText.whole(tokens, format.tokenizer, stops: stops).text
    // A reply stopped before its first word leaves nothing to remember.
    if !(wasInterrupted && text.isEmpty) {
      grown.append(role: "assistant", text)
      history = grown
    }
    let isComplete = wasInterrupted || written.hasStopped || tokens.last.map(conversation.endIDs.contains) ?? false
    return Reply(text: text, isCut: !isComplete, droppedCount: droppedCount)
  }

  /// Forgets the conversation but for its system message.
  public func reset() { history.reset() }

  /// Begins anew with another system message.
  /// - Parameter system: nil for none.
  public func begin(with system: String?) { history = ChatHistory(system: system) }

  /// The messages so far, as a line of a data file of the layout `messages`.
  public var record: JSON { ["messages": .array(history.messages)] }

  /// The temperature of the draws; 0 always takes the most probable token.
  public var temperature: Float {
    get { settings.temperature }
    set { settings.temperature = newValue }
  }

  /// Lets another adapter answer from here on; the conversation goes on.
  ///
  /// - Parameter name: its name among the session's; nil for the model without one.
  /// - Throws: `TuningError` where it cannot be put on.
  public func use(_ name: String?) throws {
    try adapters?.activate(name)
    adapter = name
    // The keys and values that were kept of the conversation come from other weights.
    conversation = try Conversation(with: session.model, endIDs: planEndIDs.union(format.endIDs))
  }

  /// The number of tokens that the model is made for, or that the checkpoint lets a sequence have.
  private var positionLimit: Int? {
    let trained = session.directory.configuration["max_position_embeddings"]?.int.flatMap { Int32(exactly: $0) }.map {
      Int($0) - session.model.catalog.virtualTokenCount
    }
    return [conversation.positionLimit, trained, settings.maxLength].compactMap { $0 }.min()
  }

  /// The tokens of a conversation, without its oldest turns where it would otherwise leave too little room for a reply.
  private func fit(_ history: inout ChatHistory) throws -> (prompt: [Int32], droppedCount: Int) {
    var droppedCount = 0
    while true {
      let prompt = try format.prompt(history.messages)
      guard let limit = positionLimit, prompt.count + min(settings.maxNewTokens, limit / 4) > limit else { return (prompt, droppedCount) }
      if let count = history.dropOldestTurn() {
        droppedCount += count
      } else if prompt.count < limit {
        return (prompt, droppedCount)
      } else {
        throw SessionError(
          .data, "\(session.path): the message makes a prompt of \(prompt.count) tokens, more than the model's \(limit) positions; shorten it")
      }
    }
  }
}
