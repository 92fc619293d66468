import Foundation
import GraftBatching
import GraftGeneration
import GraftJSON
import GraftLayers
import GraftModels
import GraftTestSupport
import Testing

/// Outputs of Transformers' `generate`, as `Scripts/make-generation-goldens.py` writes them.
enum GenerationFixture {
  static let models = ["llama", "gpt2", "t5", "bart"]

  private static let fixtures = Fixtures("GraftGenerationTests")

  static func json(_ name: String) throws -> JSON { try fixtures.json("\(name).json") }

  static func model(_ name: String) throws -> any LanguageModel {
    let task: LearningTask = name == "t5" || name == "bart" ? .seq2seqLM : .causalLM
    return try #require(try ModelDirectory(fixtures.path(name), task: task).model as? any LanguageModel)
  }

  static func settings(_ json: JSON) -> SamplingSettings {
    func float(_ key: String) -> Float? { json[key]?.double.map(Float.init) }
    var settings = SamplingSettings()
    settings.maxNewTokens = json["max_new_tokens"]?.int ?? 12
    settings.temperature = float("temperature") ?? 1
    (settings.topK, settings.topP, settings.minP) = (json["top_k"]?.int, float("top_p"), float("min_p"))
    (settings.topH, settings.typicalP) = (float("top_h"), float("typical_p"))
    (settings.epsilonCutoff, settings.etaCutoff) = (float("epsilon_cutoff") ?? 0, float("eta_cutoff") ?? 0)
    settings.constraints.repetitionPenalty = float("repetition_penalty") ?? 1
    guard let beams = json["num_beams"]?.int else { return settings }
    settings.temperature = 0
    guard beams > 1 else { return settings }
    settings.beams = BeamSettings(count: beams)
    settings.beams?.lengthPenalty = float("length_penalty") ?? 1
    let stopping = json["early_stopping"]
    settings.beams?.earlyStopping = stopping?.string == "never" ? .never : stopping?.bool == true ? .always : .heuristic
    return settings
  }
}
