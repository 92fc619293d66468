import GraftGeneration
import GraftLayers
import Testing

/// Reading on from the cache must give what reading everything again gives.
@Suite struct ConversationTests {
  private func settings(temperature: Float, count: Int = 6) -> SamplingSettings {
    var settings = SamplingSettings()
    (settings.temperature, settings.maxNewTokens, settings.seed) = (temperature, count, 5)
    return settings
  }

  @Test(arguments: [("llama", Float(0)), ("gpt2", 0), ("llama", 0.8)])
  func turnsEqualWholePrompts(_ name: String, _ temperature: Float) throws {
    let model = try GenerationFixture.model(name)
    let settings = settings(temperature: temperature)
    let conversation = try Conversation(with: model, endIDs: [])
    let generator = try Generator(continuing: model, endIDs: [])
    var history: [Int32] = [3, 7, 1, 18]
    var turn = 0
    func reply() throws -> [Int32] {
      let written = try conversation.reply(to: history, settings, turn: turn)
      #expect(try generator([history], settings, numbers: [turn])[0] == written)
      turn += 1
      return written
    }
    #expect(conversation.reusedCount == 0)
    // The last token of a reply has not been read yet.
    var written = try reply()
    history += written + [9, 9]
    written = try reply()
    #expect(conversation.reusedCount == 4 + 5)
    // What was written reads differently when it is encoded again.
    history += written
    history[history.count - 3] = 20
    history += [2]
    _ = try reply()
    #expect(conversation.reusedCount == history.count - 4)
    // The same again, one that is shorter, and another conversation.
    _ = try reply()
    #expect(conversation.reusedCount == history.count - 1)
    history = Array(history.prefix(5))
    _ = try reply()
    #expect(conversation.reusedCount == 4)
    history = [10, 11, 12]
    _ = try reply()
    #expect(conversation.reusedCount == 0)
  }

  /// The cache grows over its first size.
  @Test func longConversations() throws {
    let model = try GenerationFixture.model("llama")
    let settings = settings(temperature: 0, count: 150)
    let conversation = try Conversation(with: model, endIDs: [])
    let written = try conversation.reply(to: [1, 2, 3], settings)
    let more = try conversation.reply(to: [1, 2, 3] + written, settings)
    #expect(conversation.reusedCount == 152)
    #expect(try Generator(continuing: model, endIDs: [])([[1, 2, 3] + written], settings)[0] == more)
  }

  @Test func endsAtItsEndsAndWhereThePositionsEnd() throws {
    let model = try GenerationFixture.model("gpt2")
    let settings = settings(temperature: 0, count: 100)
    let conversation = try Conversation(with: model, endIDs: [])
    #expect(conversation.positionLimit == 32)
    let written = try conversation.reply(to: [3, 7, 1, 18], settings)
    #expect(written.count == 32 - 4 + 1)
    let end = try #require(written.dropFirst(3).first)
    let ended = try Conversation(with: model, endIDs: [end]).reply(to: [3, 7, 1, 18], settings)
    #expect(ended == Array(written.prefix(through: try #require(written.firstIndex(of: end)))))
    #expect(try conversation.reply(to: [3, 7, 1, 18], settings) { $0 == end } == ended)
  }

  @Test func encoderDecodersDoNotTalk() throws {
    #expect(throws: GenerationError.self) { try Conversation(with: try GenerationFixture.model("t5"), endIDs: []) }
  }
}
