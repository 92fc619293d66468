import GraftGeneration
import GraftJSON
import GraftModels

/// The wishes of a checkpoint for generation: `generation_config.json`, or the keys of `config.json` where there is no such file, with
/// the meaning and the defaults that Transformers' `generate` gives them.
public struct GenerationConfiguration {
  /// Greedy where nothing says otherwise; without a limit of new tokens where the file has none.
  public private(set) var settings = SamplingSettings()
  /// The most new tokens, where the file says.
  public private(set) var maxNewTokens: Int?
  /// The most tokens of a whole sequence, where the file says.
  public private(set) var maxLength: Int?
  /// True where tokens are drawn: the filters count only then.
  public private(set) var isSampling = false
  /// At least 1.
  public private(set) var beamCount = 1
  /// The power of the length that beams' log-probabilities are divided by.
  public private(set) var lengthPenalty: Float = 1
  /// The end of a beam search.
  public private(set) var earlyStopping = BeamSettings.EarlyStopping.heuristic
  /// Texts that end an answer.
  public private(set) var stops: [String] = []
  /// Wishes of the file that are not followed, each as the end of a sentence about the file.
  public private(set) var remarks: [String] = []

  private let keys: ArchitectureConfiguration

  /// The configuration of a checkpoint without any wish.
  public init() { keys = ArchitectureConfiguration(.object([:]), source: "") }

  /// - Parameters:
  ///   - file: what the checkpoint says.
  ///   - vocabularySize: how many tokens the model has.
  /// - Throws: `ArchitectureError` for a value that its key cannot have, and for what would change the answers and is not done here.
  public init(_ file: GenerationFile, vocabularySize: Int) throws(ArchitectureError) {
    keys = file.keys
    try refuseUnsupported()
    try readLengths()
    try readStrategy()
    try readFilters()
    try readConstraints(vocabularySize)
    if file.isOwnFile { try nameUnknownKeys() }
    if let odd = file.endOfSequenceIDs.first(where: { $0 >= vocabularySize }) {
      throw keys.fail("eos_token_id", "\(odd) is outside the model's vocabulary of \(vocabularySize); correct it")
    }
  }

  private mutating func readLengths() throws(ArchitectureError) {
    maxNewTokens = try keys.whole("max_new_tokens", from: 1)
    maxLength = try keys.whole("max_length", from: 1)
    settings.constraints.minLength = try keys.whole("min_length") ?? 0
    settings.constraints.minNewTokens = try keys.whole("min_new_tokens") ?? 0
    if settings.constraints.minNewTokens > 0 { settings.constraints.minLength = 0 }
    stops = try keys.texts("stop_strings")
    if keys.contains("max_time") { remarks.append("max_time is not kept: an answer takes the time it takes") }
  }

  private mutating func readStrategy() throws(ArchitectureError) {
    isSampling = try keys.bool("do_sample", default: false)
    beamCount = try keys.whole("num_beams", from: 1, through: BeamSettings.largestCount) ?? 1
    lengthPenalty = try keys.number("length_penalty") ?? 1
    switch keys.json["early_stopping"] {
    case .none, .null, .bool(false): earlyStopping = .heuristic
    case .bool(true): earlyStopping = .always
    case .string("never"): earlyStopping = .never
    default: throw keys.fail("early_stopping", "must be true, false or \"never\"")
    }
    let count = try keys.whole("num_return_sequences", from: 1) ?? 1
    if count > 1 { remarks.append("num_return_sequences is \(count), and one answer a prompt is written") }
    if try keys.string("cache_implementation", default: "") == "quantized" {
      remarks.append("cache_implementation is quantized, and keys and values are kept as they are")
    }
  }

  /// Of a draw that says nothing else, Transformers leaves the fifty most probable tokens.
  private mutating func readFilters() throws(ArchitectureError) {
    settings.temperature = try keys.number("temperature", 0...Float.greatestFiniteMagnitude) ?? 1
    settings.topK = try keys.whole("top_k") ?? (isSampling ? 50 : nil)
    settings.topP = try keys.number("top_p", 0...1)
    settings.minP = try keys.number("min_p", 0...1)
    settings.topH = try keys.number("top_h", 0...1)
    settings.typicalP = try keys.number("typical_p", Float.leastNonzeroMagnitude...Float.greatestFiniteMagnitude)
    let cutoffs = (try keys.number("epsilon_cutoff") ?? 0, try keys.number("eta_cutoff") ?? 0)
    settings.epsilonCutoff = cutoffs.0 < 1 ? max(0, cutoffs.0) : 0
    settings.etaCutoff = cutoffs.1 < 1 ? max(0, cutoffs.1) : 0
  }

  private mutating func readConstraints(_ vocabularySize: Int) throws(ArchitectureError) {
    let positive = Float.leastNonzeroMagnitude...Float.greatestFiniteMagnitude
    var rules = settings.constraints
    rules.repetitionPenalty = try keys.number("repetition_penalty", positive) ?? 1
    rules.encoderRepetitionPenalty = try keys.number("encoder_repetition_penalty", positive) ?? 1
    rules.noRepeatNGramSize = try keys.whole("no_repeat_ngram_size") ?? 0
    rules.encoderNoRepeatNGramSize = try keys.whole("encoder_no_repeat_ngram_size") ?? 0
    rules.suppressedTokens = Set(try keys.tokenIDs("suppress_tokens"))
    rules.suppressedFirstTokens = Set(try keys.tokenIDs("begin_suppress_tokens"))
    rules.badWords = try keys.tokenSequences("bad_words_ids", vocabularySize)
    rules.sequenceBiases = try keys.sequenceBiases("sequence_bias", vocabularySize)
    rules.lengthDecay = try keys.lengthDecay("exponential_decay_length_penalty")
    rules.removesInvalidScores = try keys.bool("remove_invalid_values", default: false)
    rules.renormalizes = try keys.bool("renormalize_logits", default: false)
    // The name that older files of BART have for it.
    let forcesBegin = try keys.bool("force_bos_token_to_be_generated", default: false)
    rules.forcedFirstToken = try keys.vocabularyIDs(forcesBegin ? "bos_token_id" : "forced_bos_token_id", vocabularySize).first
    rules.forcedLastTokens = try keys.vocabularyIDs("forced_eos_token_id", vocabularySize)
    for (key, forced) in [("forced_bos_token_id", rules.forcedFirstToken.map { [$0] } ?? []), ("forced_eos_token_id", rules.forcedLastTokens)]
    where !forced.isEmpty && rules.suppressedTokens.isSuperset(of: forced) {
      throw keys.fail(key, "is among suppress_tokens; take it out of one of them")
    }
    settings.constraints = rules
  }

  /// Refuses keys that would change the answers in Transformers, and have no meaning here.
  private func refuseUnsupported() throws(ArchitectureError) {
    for (key, isAbsent) in Self.unsupportedKeys {
      guard let value = keys.json[key], !value.isNull, !isAbsent(value, keys.json) else { continue }
      throw keys.fail(key, "unsupported; take it out of the file, or pass --generation-config none")
    }
  }

  private mutating func nameUnknownKeys() throws(ArchitectureError) {
    let unknown = (keys.json.object ?? [:]).map(\.key).filter { !Self.knownKeys.contains($0) }
    if !unknown.isEmpty { remarks.append("\(unknown.joined(separator: ", ")): unknown, and without effect") }
  }

  /// The keys that count only for a draw, and are there without one.
  var idleFilters: [String] {
    ["temperature", "top_k", "top_p", "min_p", "top_h", "typical_p", "epsilon_cutoff", "eta_cutoff"].filter { key in
      keys.contains(key) && keys.json[key] != Self.neutralFilters[key]
    }
  }
}
