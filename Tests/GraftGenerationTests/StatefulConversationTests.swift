import GraftBatching
import GraftGeneration
import GraftJSON
import GraftLayers
import GraftModels
import GraftTensors
import Testing

/// Conversations with models that cannot go back: they read again what they cannot take back.
@Suite struct StatefulConversationTests {
  private func settings(_ count: Int) -> SamplingSettings {
    var settings = SamplingSettings()
    settings.maxNewTokens = count
    return settings
  }

  /// The reply to a history equals that to the history alone.
  private func check(
    _ conversation: Conversation, _ model: any Model, _ history: [Int32], count: Int, reusing reused: Int
  ) throws -> [Int32] {
    let written = try conversation.reply(to: history, settings(count))
    #expect(conversation.reusedCount == reused)
    #expect(try Generator(continuing: model, endIDs: [])([history], settings(count))[0] == written)
    return written
  }

  @Test func aRecurrenceReadsOnAndReadsAgain() throws {
    let model = try ToyRecurrentModel()
    let conversation = try Conversation(with: model, endIDs: [])
    var history: [Int32] = [3, 7, 1, 18]
    history += try check(conversation, model, history, count: 6, reusing: 0)
    history += [9, 9]
    // The last token of a reply has not been read yet.
    history += try check(conversation, model, history, count: 6, reusing: 9)
    history[history.count - 3] = 20
    _ = try check(conversation, model, history, count: 6, reusing: 0)
    // The same again would have to go back over the reply.
    _ = try check(conversation, model, history, count: 6, reusing: 0)
  }

  @Test func aWindowGoesBackAFewTokensOnly() throws {
    let config: JSON = [
      "model_type": "mistral", "vocab_size": 40, "hidden_size": 24, "intermediate_size": 32, "num_hidden_layers": 2,
      "num_attention_heads": 4, "num_key_value_heads": 2, "initializer_range": 0.4, "sliding_window": 6,
    ]
    let scope = Scope(source: nil, catalog: SiteCatalog(), seed: 3)
    let model = try ModelFamily.build(ModelRequest(ArchitectureConfiguration(config, source: "test")), in: scope)
    let conversation = try Conversation(with: model, endIDs: [])
    var history = (0..<30).map { Int32($0 * 7 % 40) }
    history += try check(conversation, model, history, count: 40, reusing: 0)
    history[history.count - 4] = 5
    history += [9, 9]
    history += try check(conversation, model, history, count: 40, reusing: 66)
    // Long past: the window has moved on.
    history[80] = 5
    _ = try check(conversation, model, history, count: 8, reusing: 0)
  }

  /// Beams over a recurrence and over a window part and go on as full passes do.
  @Test func beamsPartInAnyState() throws {
    let model = try ToyRecurrentModel()
    var settings = settings(7)
    settings.beams = BeamSettings(count: 4)
    let generator = try Generator(continuing: model, endIDs: [])
    let found = try generator([[3, 7, 1], [11, 2]], settings)
    for (prompt, written) in zip([[3, 7, 1], [11, 2]] as [[Int32]], found) {
      let best = try bestOfAll(model, prompt, written.count, beams: 4)
      #expect(written == best)
    }
  }

  /// A beam search that keeps nothing: every step reads whole sequences.
  private func bestOfAll(_ model: any LanguageModel, _ prompt: [Int32], _ count: Int, beams: Int) throws -> [Int32] {
    var running: [(tokens: [Int32], score: Double)] = [([], 0)]
    for _ in 0..<count {
      var next: [(tokens: [Int32], score: Double)] = []
      for beam in running {
        let sequence = prompt + beam.tokens
        let hidden = model.hiddenStates(SequenceInput([sequence]), .inference).rows(sequence.count - 1..<sequence.count)
        for token in 0..<Int32(model.vocabularySize) {
          next.append((beam.tokens + [token], beam.score + Double(model.head.predictions(hidden, targets: [token])[0].logProbability)))
        }
      }
      running = Array(next.sorted { $0.score > $1.score }.prefix(beams))
    }
    return running[0].tokens
  }
}

/// A language model whose one layer is `h = h / 2 + embedding`, squashed.
private final class ToyRecurrentModel: CausalLanguageModel {
  let modelType = "toy"
  let catalog: SiteCatalog
  let vocabularySize = 24, hiddenSize = 10
  let maximumLength: Int? = nil
  let head: LanguageModelHead
  private let embedding: Embedding

  init() throws {
    let scope = Scope(source: nil, catalog: SiteCatalog(), seed: 6)
    catalog = scope.catalog
    embedding = try Embedding(
      scope / "embedding", entries: vocabularySize, width: hiddenSize, role: .tokenEmbedding, initializer: .normal(standardDeviation: 1))
    head = LanguageModelHead(
      try Linear(scope / "head", in: hiddenSize, out: vocabularySize, role: .languageModelHead, initializer: .normal(standardDeviation: 1)))
  }

  func hiddenStates(_ input: SequenceInput, _ pass: Pass) -> Tensor {
    let x = embedding(Tensor(input.tokens), pass).values
    let count = input.spans.count
    let initial = Tensor([Float](repeating: 0, count: hiddenSize))
    let state = pass.state?.layer("recurrence") { RecurrentState(sequences: count, initial: [initial]) }
    var h = state?.tensors[0].values ?? [Float](repeating: 0, count: count * hiddenSize)
    var out: [Float] = []
    for (index, span) in input.spans.enumerated() {
      for row in span.range {
        for column in 0..<hiddenSize { h[index * hiddenSize + column] = h[index * hiddenSize + column] / 2 + x[row * hiddenSize + column] }
        out += h[index * hiddenSize..<(index + 1) * hiddenSize]
      }
    }
    state?.update([Tensor(h, [count, hiddenSize])], after: input.spans.map(\.count))
    return activate(Tensor(out, [input.tokens.count, hiddenSize]), .tanh)
  }
}
