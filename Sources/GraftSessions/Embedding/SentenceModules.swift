import GraftCheckpoints
import GraftJSON
import GraftModels

/// The modules that sentence-transformers puts around a model, as the `modules.json` of a directory and the files that it names say.
public struct SentenceModules {
  /// The directory of the model itself.
  public let encoderPath: String
  /// The steps after the hidden states, in order.
  let steps: [SentenceStep]
  /// Texts are cut to so many tokens; nil where only the tokenizer and the model have a say.
  let maxLength: Int?
  let lowercases: Bool
  /// The prompts in front of texts, by name.
  let prompts: [String: String]
  let defaultPromptName: String?
  /// The number of values of a vector that are kept; nil is all.
  let keptCount: Int?

  /// Nil for a directory without a `modules.json`.
  ///
  /// - Throws: `CheckpointError` for files that are damaged, `ArchitectureError` for values that are not possible, and
  ///   `SessionError` for modules that are not supported here.
  public init?(in directory: String) throws {
    let list = "\(directory)/modules.json"
    guard let modules = try readIfPresent(list, readAnyJSON)?.array else { return nil }
    let folders = try modules.enumerated().map { index, module -> (type: String, path: String, keys: ArchitectureConfiguration) in
      guard let type = module["type"]?.string?.split(separator: ".").last, let path = module["path"]?.string ?? (index == 0 ? "" : nil) else {
        throw SessionError(.data, "\(list): entry \(index + 1) has no type and path; write it with sentence-transformers' save")
      }
      let folder = path.isEmpty ? directory : "\(directory)/\(path)"
      let file = "\(folder)/config.json"
      let json = index == 0 ? [:] : try readIfPresent(file, readJSON) ?? [:]
      return (String(type), folder, ArchitectureConfiguration(json, source: file))
    }
    guard let first = folders.first, first.type == "Transformer" else {
      throw SessionError(.data, "\(list): starts with \(folders.first?.type ?? "nothing"); a Transformer is supported")
    }
    encoderPath = first.path
    steps = try folders.dropFirst().compactMap { try SentenceStep($0.type, folder: $0.path, $0.keys) }
    guard case .pooling = steps.first else {
      throw SessionError(.data, "\(list): the Transformer is not followed by a Pooling, which is not supported")
    }
    let encoder = try Self.encoderKeys(in: first.path)
    try Self.requireTexts(encoder)
    maxLength = try encoder.whole("max_seq_length", from: 1)
    lowercases = try encoder.bool("do_lower_case", default: false)
    let file = "\(directory)/config_sentence_transformers.json"
    let keys = ArchitectureConfiguration(try readIfPresent(file, readJSON) ?? [:], source: file)
    let kind = try keys.string("model_type", default: "SentenceTransformer")
    guard kind == "SentenceTransformer" else { throw keys.fail("model_type", "unsupported \(kind); embed is for a SentenceTransformer") }
    prompts = Dictionary((keys.json["prompts"]?.object ?? [:]).map { ($0.key, $0.value.string ?? "") }) { $1 }
    defaultPromptName = keys.contains("default_prompt_name") ? try keys.string("default_prompt_name") : nil
    keptCount = try keys.whole("truncate_dim", from: 1)
  }

  /// The text in front of every text.
  /// - Throws: `SessionError` for a name that is not among the prompts.
  func prompt(named name: String?) throws -> String {
    guard let name = name ?? defaultPromptName else { return "" }
    guard let prompt = prompts[name] else {
      let known = prompts.keys.sorted().joined(separator: ", ")
      throw SessionError(.usage, "--prompt-name: \(name) is not among the checkpoint's prompts; known are \(known.isEmpty ? "none" : known)")
    }
    return prompt
  }

  /// - Throws: `ArchitectureError` for a model that reads anything but texts as they are, or gives anything but hidden states.
  private static func requireTexts(_ keys: ArchitectureConfiguration) throws(ArchitectureError) {
    for (key, known) in [("transformer_task", "feature-extraction"), ("module_output_name", "token_embeddings")] {
      let value = try keys.string(key, default: known)
      guard value == known else { throw keys.fail(key, "unsupported \(value); \(known) is supported") }
    }
    let ways = try keys.section("modality_config")
    if let ways, ways.contains("message") {
      throw ways.fail("message", "unsupported: texts are not put into a chat template; save the model with the modality text alone")
    }
    if let text = try ways?.section("text") {
      let output = try text.string("method_output_name", default: "last_hidden_state")
      guard output == "last_hidden_state" else { throw text.fail("method_output_name", "unsupported \(output); last_hidden_state is supported") }
    }
    guard keys.json["processing_kwargs"].map({ $0.isNull || $0 == [:] }) ?? true else {
      throw keys.fail("processing_kwargs", "unsupported; take it out")
    }
  }

  /// The file beside the model that says how long texts may be; older ones are called after the family.
  private static func encoderKeys(in folder: String) throws -> ArchitectureConfiguration {
    for family in ["bert", "roberta", "distilbert", "camembert", "albert", "xlm-roberta", "xlnet"] {
      let file = "\(folder)/sentence_\(family)_config.json"
      if let json = try readIfPresent(file, readJSON) { return ArchitectureConfiguration(json, source: file) }
    }
    return ArchitectureConfiguration([:], source: folder)
  }
}
