import GraftGeneration
import GraftJSON
import GraftModels

extension GenerationConfiguration {
  /// The keys that change what is written, and are read.
  package static let readKeys: Set<String> = [
    "bad_words_ids", "begin_suppress_tokens", "bos_token_id", "decoder_start_token_id", "do_sample", "early_stopping",
    "encoder_no_repeat_ngram_size", "encoder_repetition_penalty", "eos_token_id", "epsilon_cutoff", "eta_cutoff",
    "exponential_decay_length_penalty", "forced_bos_token_id", "forced_eos_token_id", "force_bos_token_to_be_generated",
    "length_penalty", "max_length", "max_new_tokens", "min_length", "min_new_tokens", "min_p", "no_repeat_ngram_size", "num_beams",
    "remove_invalid_values", "renormalize_logits", "repetition_penalty", "sequence_bias", "stop_strings", "suppress_tokens",
    "temperature", "top_h", "top_k", "top_p", "typical_p",
  ]

  /// The keys that are named where they ask for something that is not done.
  package static let remarkedKeys: Set<String> = ["cache_implementation", "max_time", "num_return_sequences"]

  /// The keys that say how Transformers computes, not what: caches, drafts that are checked, compilation, what else is returned.
  package static let idleKeys: Set<String> = [
    "_commit_hash", "_from_model_config", "assistant_confidence_threshold", "assistant_early_exit", "assistant_ensemble_weight",
    "assistant_lookbehind", "cache_config", "compile_config", "continuous_batching_config", "disable_compile", "is_assistant",
    "low_memory", "max_cache_len", "max_matching_ngram_size", "num_assistant_tokens", "num_assistant_tokens_schedule",
    "output_attentions", "output_hidden_states", "output_logits", "output_scores", "pad_token_id", "prefill_chunk_size",
    "prompt_lookup_num_tokens", "return_dict_in_generate", "speculation_type", "target_lookbehind", "transformers_version",
    "use_cache", "use_mtp",
  ]

  /// The keys that are refused, each with what makes a value of it mean nothing in its file.
  package static let unsupportedKeys: [(key: String, isWithoutEffect: @Sendable (JSON, JSON) -> Bool)] = [
    ("constraints", { value, _ in value == [] }),
    ("diversity_penalty", { _, file in !hasBeamGroups(file) }),
    ("dola_layers", { _, _ in false }),
    ("force_words_ids", { value, _ in value == [] }),
    ("guidance_scale", { value, _ in value == 1 }),
    ("num_beam_groups", { _, file in !hasBeamGroups(file) }),
    ("penalty_alpha", { value, file in (value.double ?? 1) <= 0 || !isGreedy(file) || (file["top_k"]?.int ?? 50) <= 1 }),
    ("token_healing", { value, _ in value == false }),
    ("watermarking_config", { _, _ in false }),
  ]

  /// All keys of Transformers' `GenerationConfig`, and older ones.
  package static let knownKeys = readKeys.union(remarkedKeys).union(idleKeys).union(unsupportedKeys.map(\.key))

  /// The values at which a filter filters nothing.
  static let neutralFilters: [String: JSON] = [
    "temperature": 1, "top_k": 50, "top_p": 1, "typical_p": 1, "epsilon_cutoff": 0, "eta_cutoff": 0,
  ]

  /// The wishes of a checkpoint for generation: the file, the keys that count, and what is to be noted; nil where it says
  /// no more than which tokens begin and end a text.
  package static func summary(of file: GenerationFile, vocabularySize: Int) -> JSON? {
    let members = (file.keys.json.object ?? [:]).filter { readKeys.contains($0.key) && !$0.value.isNull }
    let ids: Set = ["bos_token_id", "eos_token_id", "decoder_start_token_id"]
    guard file.isOwnFile || members.contains(where: { !ids.contains($0.key) }) else { return nil }
    var summary: JSON = ["file": file.isOwnFile ? "generation_config.json" : "config.json"]
    for (key, value) in members { summary[key] = value }
    do {
      let configuration = try GenerationConfiguration(file, vocabularySize: vocabularySize)
      if configuration.isSampling { summary["top_k"] = .integer(configuration.settings.topK ?? 0) }
      if !configuration.remarks.isEmpty { summary["notes"] = .array(configuration.remarks.map(JSON.string)) }
    } catch {
      summary["notes"] = [.string(error.description)]
    }
    return summary
  }

  private static func hasBeamGroups(_ file: JSON) -> Bool { (file["num_beam_groups"]?.int ?? 1) > 1 && (file["num_beams"]?.int ?? 1) > 1 }

  private static func isGreedy(_ file: JSON) -> Bool { file["do_sample"]?.bool != true && (file["num_beams"]?.int ?? 1) == 1 }
}
