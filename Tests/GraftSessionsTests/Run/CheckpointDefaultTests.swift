import GraftBatching
import GraftJSON
import GraftOptimizers
import GraftRecipes
import GraftSessions
import Testing

@Suite("What is meant where little is said")
struct CheckpointDefaultTests {
  /// The class that wrote a checkpoint says what it is for, by its family where its name is old.
  @Test(
    arguments: [
      ("t5", "T5WithLMHeadModel", .seq2seqLM), ("t5", "T5ForConditionalGeneration", .seq2seqLM), ("gpt2", "GPT2LMHeadModel", .causalLM),
      ("bert", "BertLMHeadModel", .maskedLM), ("bert", "BertForPreTraining", .maskedLM),
      ("llama", "LlamaForSequenceClassification", .sequenceClassification),
      ("mt5", "MT5EncoderModel", .seq2seqLM), ("qwen2", "", .causalLM),
    ] as [(String, String, LearningTask)])
  func tasks(_ family: String, _ architecture: String, _ task: LearningTask) {
    #expect(LearningTask(of: ["model_type": .string(family), "architectures": [.string(architecture)]]) == task)
  }

  /// torch's own smoothing, not Adam's second beta, unless a recipe chooses one.
  @Test func rmsprop() throws {
    var training = Recipe.Training()
    training.optimizer = .rmsprop
    let plain = try #require(training.updateRule as? RMSProp)
    #expect(plain.smoothing == 0.99 && plain.epsilon == 1e-8)
    training.betas = [0.9, 0.95]
    #expect((training.updateRule as? RMSProp)?.smoothing == 0.95)
  }
}
