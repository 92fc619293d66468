import Foundation
import GraftGeneration
import GraftJSON
import GraftModels
import GraftSessions
import GraftTestSupport
import Testing

/// Generation as checkpoints configure it, against the texts of Transformers' `generate`; the goldens are those of
/// `Scripts/make-generation-goldens.py`.
@Suite struct GenerationConfigurationTests {
  private static let fixtures = Fixtures("GraftGenerationTests")

  private static func goldens() throws -> JSON { try fixtures.json("files.json") }

  /// A copy of a model with files of its own.
  private func session(_ name: String, generation: JSON? = nil, configuration changes: JSON = [:]) throws -> ModelSession {
    let place = try TemporaryDirectory(copying: Self.fixtures.file(name))
    if let generation { try place.write(generation.serializedBytes(), to: "generation_config.json") }
    try place.write(Self.fixtures.json("\(name)/config.json").setting(changes).serializedBytes(), to: "config.json")
    return try ModelSession(model: place.path)
  }

  private func plan(_ generation: JSON, _ name: String = "llama", _ change: (inout GenerationOptions) -> Void = { _ in }) throws -> GenerationPlan {
    var options = GenerationOptions()
    change(&options)
    return try session(name, generation: generation).generationPlan(options, maxNewTokens: 128)
  }

  /// Token for token, alone and in a batch, for a file of its own and for the keys of a `config.json`.
  @Test(arguments: ["llama", "gpt2", "t5", "bart"]) func equalsTransformers(_ name: String) throws {
    let goldens = try Self.goldens()
    let prompts = (goldens["prompts"]?.array ?? []).map(\.tokenIDs)
    let cases = (goldens["cases"]?.array ?? []).filter { $0["model"]?.string == name }
    #expect(cases.count > 90)
    for example in cases {
      let content = try #require(example["content"])
      let isOwn = example["own"]?.bool == true
      // An end that only config.json names has no say beside the other file.
      let session = try session(
        name, generation: isOwn ? content : nil, configuration: isOwn ? ["eos_token_id": content["eos_token_id"] ?? 4] : content)
      var options = GenerationOptions()
      if content["max_length"] == nil, content["max_new_tokens"] == nil { options.maxNewTokens = 12 }
      let plan = try session.generationPlan(options, maxNewTokens: 128)
      let generator = try Generator(continuing: session.model, endIDs: plan.endIDs, startID: plan.startID)
      let expected = (example["outputs"]?.array ?? []).map(\.tokenIDs)
      #expect(try generator(prompts, plan.settings) == expected, "\(isOwn) \(content.serialized())")
      #expect(try prompts.map { try generator([$0], plan.settings)[0] } == expected, "\(isOwn) \(content.serialized())")
    }
  }

  /// No key of Transformers' class is ignored in silence.
  @Test func everyKeyIsKnown() throws {
    let keys = (try Self.goldens()["keys"]?.array ?? []).compactMap(\.string)
    #expect(keys.count > 60)
    #expect(keys.filter { !GenerationConfiguration.knownKeys.contains($0) } == [])
    let kinds = [
      GenerationConfiguration.readKeys, GenerationConfiguration.remarkedKeys, GenerationConfiguration.idleKeys,
      Set(GenerationConfiguration.unsupportedKeys.map(\.key)),
    ]
    #expect(kinds.map(\.count).reduce(0, +) == GenerationConfiguration.knownKeys.count, "a key is of two kinds")
  }

  @Test func optionsComeBeforeTheFile() throws {
    let file: JSON = [
      "do_sample": true, "temperature": 0.7, "top_k": 20, "top_p": 0.8, "min_p": 0.1, "repetition_penalty": 1.1, "max_new_tokens": 7, "num_beams": 2,
      "length_penalty": 0.5, "early_stopping": true, "stop_strings": ["x"], "eos_token_id": [3, 5],
    ]
    let own = try plan(file)
    #expect(own.settings.temperature == 0.7 && own.settings.topK == 20 && own.settings.topP == 0.8 && own.settings.minP == 0.1)
    #expect(own.settings.constraints.repetitionPenalty == 1.1 && own.settings.maxNewTokens == 7 && own.stops == ["x"] && own.endIDs == [3, 5])
    #expect(own.settings.beams?.count == 2 && own.settings.beams?.lengthPenalty == 0.5 && own.settings.beams?.earlyStopping == .always)
    let asked = try plan(file) {
      ($0.temperature, $0.topK, $0.topP, $0.minP, $0.repetitionPenalty) = (0, 4, 0.5, 0.2, 1)
      ($0.maxNewTokens, $0.beamCount, $0.stops) = (9, 1, ["y"])
    }
    #expect(asked.settings.temperature == 0 && asked.settings.topK == 4 && asked.settings.topP == 0.5 && asked.settings.minP == 0.2)
    #expect(asked.settings.constraints.repetitionPenalty == 1 && asked.settings.maxNewTokens == 9 && asked.stops == ["y"])
    #expect(asked.settings.beams == nil)
    let none = try plan(file) { $0.configurationPath = "none" }
    #expect(
      none.settings
        == {
          var plain = SamplingSettings()
          plain.maxNewTokens = 128
          return plain
        }())
    #expect(none.endIDs == [3, 5])
  }

  @Test func withoutSamplingTheMostProbableIsTaken() throws {
    let greedy = try plan(["temperature": 0.7, "top_p": 0.9, "top_k": 50, "eos_token_id": 1])
    #expect(greedy.settings.temperature == 0)
    #expect(greedy.notes.count == 1 && greedy.notes[0].hasSuffix("temperature, top_p without effect, since do_sample is not true; set --temperature"))
    // What the file says of a draw holds where an option makes one.
    let drawn = try plan(["temperature": 0.7, "top_p": 0.9, "eos_token_id": 1]) { $0.temperature = 0.5 }
    #expect(drawn.settings.temperature == 0.5 && drawn.settings.topP == 0.9 && drawn.settings.topK == nil && drawn.notes == [])
    // Transformers' default for a draw.
    #expect(try plan(["do_sample": true, "eos_token_id": 1]).settings.topK == 50)
    #expect(try plan(["do_sample": true, "eos_token_id": 1]).settings.temperature == 1)
  }

  @Test(arguments: [
    (#"{"guidance_scale": 1.5}"#, "guidance_scale: unsupported"), (#"{"penalty_alpha": 0.6, "top_k": 4}"#, "penalty_alpha: unsupported"),
    (#"{"num_beams": 4, "num_beam_groups": 2}"#, "num_beam_groups: unsupported"),
    (#"{"watermarking_config": {}}"#, "watermarking_config: unsupported"),
    (#"{"token_healing": true}"#, "token_healing: unsupported"), (#"{"dola_layers": "low"}"#, "dola_layers: unsupported"),
    (#"{"force_words_ids": [[3]]}"#, "force_words_ids: unsupported"), (#"{"constraints": [1]}"#, "constraints: unsupported"),
    (#"{"repetition_penalty": 0}"#, "repetition_penalty: is 0.0"), (#"{"repetition_penalty": "1.2"}"#, "repetition_penalty: is a string"),
    (#"{"top_p": 1.5}"#, "top_p: is 1.5"), (#"{"temperature": -1}"#, "temperature: is -1.0"),
    (#"{"top_k": -1}"#, "top_k: is -1"), (#"{"max_new_tokens": 0}"#, "max_new_tokens: is 0"),
    (#"{"max_length": 9223372036854775807}"#, "max_length: 9223372036854775807 is out of range"),
    (#"{"no_repeat_ngram_size": 9223372036854775807}"#, "no_repeat_ngram_size: 9223372036854775807 is out of range"),
    (#"{"num_beams": 1000000000000}"#, "num_beams: 1000000000000 is out of range"),
    (#"{"early_stopping": "maybe"}"#, "early_stopping: must be"), (#"{"eos_token_id": 2147483648}"#, "eos_token_id: holds 2147483648"),
    (#"{"eos_token_id": 24}"#, "eos_token_id: 24 is outside"), (#"{"eos_token_id": "</s>"}"#, #"eos_token_id: holds "</s>""#),
    (#"{"forced_bos_token_id": 24}"#, "forced_bos_token_id: 24 is outside"), (#"{"forced_eos_token_id": -1}"#, "forced_eos_token_id: -1 is outside"),
    (#"{"forced_eos_token_id": 3, "suppress_tokens": [3]}"#, "forced_eos_token_id: is among suppress_tokens"),
    (#"{"bad_words_ids": [3]}"#, "bad_words_ids: must be"), (#"{"bad_words_ids": [[99]]}"#, "bad_words_ids: 99 is outside"),
    (#"{"sequence_bias": {"(1,)": 2.0}}"#, "sequence_bias: must be"), (#"{"sequence_bias": [[[1], "x"]]}"#, "sequence_bias: must be"),
    (#"{"exponential_decay_length_penalty": [1]}"#, "exponential_decay_length_penalty: must be"),
    (#"{"stop_strings": [""]}"#, "stop_strings: must be"),
    (#"{"do_sample": "yes"}"#, "do_sample: is a string"),
  ]) func whatCannotBeFollowedIsRefused(_ content: String, _ message: String) throws {
    let file = try JSON(parsing: content)
    let error = #expect(throws: ArchitectureError.self) { try plan(file) }
    #expect(error?.description.contains("generation_config.json: " + message) == true, "\(error?.description ?? "")")
  }

  @Test(arguments: [
    #"{"guidance_scale": 1.0, "num_beam_groups": 1, "diversity_penalty": 0.0, "penalty_alpha": 0, "token_healing": false, "eos_token_id": 1}"#,
    #"{"penalty_alpha": 0.6, "do_sample": true, "eos_token_id": 1}"#, #"{"use_cache": true, "pad_token_id": 0, "eos_token_id": [-1]}"#,
    #"{"transformers_version": "5.0", "_from_model_config": true, "bad_words_ids": null, "eos_token_id": 1, "suppress_tokens": [-1, 9999]}"#,
  ]) func whatMeansNothingIsTaken(_ content: String) throws {
    let file = try JSON(parsing: content)
    #expect(try plan(file).notes == [])
  }

  @Test func whatIsNotDoneIsSaid() throws {
    let notes = try plan([
      "max_time": 3.0, "num_return_sequences": 2, "cache_implementation": "quantized", "repetition_penality": 2, "eos_token_id": 1,
    ]).notes
    #expect(notes.count == 4)
    for (note, part) in zip(notes, ["max_time", "num_return_sequences is 2", "cache_implementation is quantized", "repetition_penality: unknown"]) {
      #expect(note.contains("generation_config.json: " + part), "\(note)")
    }
  }

  @Test(arguments: [#"{"decoder_start_token_id": -1}"#, #"{"decoder_start_token_id": 24}"#]) func aStartIsOfTheVocabulary(_ content: String) throws {
    let file = try JSON(parsing: content)
    for name in ["t5", "bart"] {
      #expect(throws: ArchitectureError.self) { try session(name, generation: file) }
      #expect(throws: ArchitectureError.self) { try session(name, configuration: file) }
      let model = try session(name).model
      #expect(throws: GenerationError.self) {
        try Generator(continuing: model, endIDs: [], startID: Int32(try #require(file["decoder_start_token_id"]?.int)))
      }
    }
    #expect(throws: ArchitectureError.self) { try session("t5", generation: ["decoder_start_token_id": [1, 2]]) }
  }

  @Test func aDamagedFileIsNotIgnored() throws {
    let place = try TemporaryDirectory(copying: Self.fixtures.file("llama"))
    try place.write("{\"eos_token_id\": 2,".utf8, to: "generation_config.json")
    #expect { try ModelSession(model: place.path) } throws: { "\($0)".contains("generation_config.json:1:") }
  }
}
