import GraftGeneration
import GraftModels

/// The wishes of a caller for generation; nil leaves one to the checkpoint.
public struct GenerationOptions: Sendable {
  /// The most new tokens of an answer.
  public var maxNewTokens: Int?
  /// 0 always takes the most probable token.
  public var temperature: Float?
  /// The number of the most probable tokens that are left; 0 leaves all.
  public var topK: Int?
  /// The probability that the tokens left have together.
  public var topP: Float?
  /// The least probability of a token, as a share of the best one's.
  public var minP: Float?
  /// The factor against tokens that have occurred; 1 is none.
  public var repetitionPenalty: Float?
  /// The seed of draws.
  public var seed: UInt64 = 0
  /// The beams of a search; 1 searches none.
  public var beamCount: Int?
  /// The exponent of the length that a beam's score is divided by.
  public var lengthPenalty: Float?
  /// The end of a search.
  public var earlyStopping: BeamSettings.EarlyStopping?
  /// Texts that end an answer; the checkpoint's where empty.
  public var stops: [String] = []
  /// The file in place of the checkpoint's `generation_config.json`; none where it is `none`.
  public var configurationPath: String?

  /// The settings of the model's own files.
  public init() {}
}

/// The settings of a generation: the caller's options, then the checkpoint's wishes, then defaults.
public struct GenerationPlan {
  /// The settings of the generator.
  public var settings: SamplingSettings
  /// Texts that end an answer and are no part of it.
  public var stops: [String]
  /// The ids that end an answer.
  public var endIDs: Set<Int32>
  /// The first token that the decoder of an encoder-decoder reads; the model's own where nil.
  public var startID: Int32?
  /// Remarks on how the checkpoint's wishes were taken, a sentence each.
  public var notes: [String] = []
}

extension ModelSession {
  /// Returns the settings of this model under the options.
  ///
  /// - Parameter maxNewTokens: what holds where neither the options nor the checkpoint say.
  /// - Throws: `ArchitectureError` for a `generation_config.json` that cannot be followed.
  public func generationPlan(_ options: GenerationOptions, maxNewTokens: Int) throws -> GenerationPlan {
    let file = try options.configurationPath.map(generationFile) ?? directory.generation
    let configuration =
      options.configurationPath == "none" ? GenerationConfiguration() : try GenerationConfiguration(file, vocabularySize: model.vocabularySize)
    var settings = configuration.settings
    settings.seed = options.seed
    settings.temperature = options.temperature ?? (configuration.isSampling ? settings.temperature : 0)
    settings.topK = options.topK ?? settings.topK
    settings.topP = options.topP ?? settings.topP
    settings.minP = options.minP ?? settings.minP
    settings.constraints.repetitionPenalty = options.repetitionPenalty ?? settings.constraints.repetitionPenalty
    let beams = options.beamCount ?? configuration.beamCount
    settings.beams = beams > 1 ? BeamSettings(count: beams) : nil
    settings.beams?.lengthPenalty = options.lengthPenalty ?? configuration.lengthPenalty
    settings.beams?.earlyStopping = options.earlyStopping ?? configuration.earlyStopping
    let limit = options.maxNewTokens ?? configuration.maxNewTokens
    settings.maxLength = limit == nil ? configuration.maxLength : nil
    settings.maxNewTokens = limit ?? (settings.maxLength == nil ? maxNewTokens : Int(Int32.max))
    var plan = GenerationPlan(
      settings: settings, stops: options.stops.isEmpty ? configuration.stops : options.stops, endIDs: writtenEndIDs(file), startID: file.startID)
    plan.notes = notes(on: configuration, file, plan, options)
    return plan
  }

  /// A file in place of the checkpoint's own.
  private func generationFile(_ path: String) throws -> GenerationFile {
    path == "none" ? directory.generation : try GenerationFile(at: path)
  }

  /// The ids that end what is written: a `generation_config.json` that names none has none, as in Transformers.
  private func writtenEndIDs(_ file: GenerationFile) -> Set<Int32> { file.isOwnFile ? file.endOfSequenceIDs : endIDs }

  private func notes(
    on configuration: GenerationConfiguration, _ file: GenerationFile, _ plan: GenerationPlan, _ options: GenerationOptions
  ) -> [String] {
    var notes = configuration.remarks.map { "\(file.keys.source): \($0)" }
    if plan.settings.temperature == 0 {
      let given = [("--top-k", options.topK != nil), ("--top-p", options.topP != nil), ("--min-p", options.minP != nil)].filter(\.1).map(\.0)
      if !given.isEmpty { notes.append("\(given.joined(separator: ", ")) without effect at temperature 0; set --temperature") }
      let idle = configuration.idleFilters
      if options.temperature == nil, !configuration.isSampling, !idle.isEmpty {
        notes.append("\(file.keys.source): \(idle.joined(separator: ", ")) without effect, since do_sample is not true; set --temperature")
      }
    }
    if file.isOwnFile, plan.endIDs.isEmpty, !endIDs.isEmpty {
      notes.append(
        "\(file.keys.source): names no eos_token_id, so that only the limit of tokens ends an answer; add \"eos_token_id\": \(endIDs.min() ?? 0)")
    }
    return notes
  }
}
