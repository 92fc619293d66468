import GraftJSON

/// The tokenizer that a model's file of llama.cpp holds, in the files that Transformers keeps it in.
package struct GGUFVocabulary {
  /// The content of `tokenizer.json`.
  package let tokenizer: JSON
  /// The content of `tokenizer_config.json`, its chat template included.
  package let configuration: JSON
  /// The ids of special tokens by their keys in a `config.json`, such as `eos_token_id`.
  package let specialIDs: [(key: String, id: Int)]

  /// - Throws: `CheckpointError` of kind `malformed` for tokens that contradict each other, `unsupported` for a kind of tokenizer that is
  ///   not read from GGUF files.
  package init(_ file: GGUFFile) throws(CheckpointError) {
    let parts = try GGUFTokens(file)
    if let whole = try file.wholeTokenizer() { tokenizer = whole } else { tokenizer = try parts.tokenizer() }
    specialIDs = parts.specialIDs
    configuration = parts.configuration
  }
}

extension GGUFFile {
  /// The `tokenizer.json` that the file holds whole; nil where it has none.
  fileprivate func wholeTokenizer() throws(CheckpointError) -> JSON? {
    guard let text = self[GGUFTokenizer.wholeKey]?.string else { return nil }
    do { return try JSON(parsing: text) } catch { throw .malformed(path, "\(GGUFTokenizer.wholeKey) is no JSON: \(error.message)") }
  }
}

/// The tokens of a file with their types and what is said of them.
private struct GGUFTokens {
  private let file: GGUFFile
  private let kind: String
  private let tokens: [String]
  private let types: [GGUFTokenType]

  init(_ file: GGUFFile) throws(CheckpointError) {
    self.file = file
    guard let kind = file["tokenizer.ggml.model"]?.string, let tokens = file["tokenizer.ggml.tokens"]?.array?.strings else {
      throw .malformed(file.path, "has no tokenizer", remedy: "take the file of a whole model")
    }
    guard kind == "gpt2" || kind == "llama" else {
      throw CheckpointError(
        .unsupported, file.path, "has a tokenizer of the kind '\(kind)', of which gpt2 and llama are read",
        remedy: "take the model's original checkpoint")
    }
    let codes = file["tokenizer.ggml.token_type"]?.array?.integers ?? tokens.map { _ in GGUFTokenType.normal.rawValue }
    let types = codes.compactMap(GGUFTokenType.init)
    guard types.count == tokens.count, codes.count == tokens.count else {
      throw .malformed(file.path, "tokenizer.ggml.token_type does not have a known type for each of \(tokens.count) tokens")
    }
    (self.kind, self.tokens, self.types) = (kind, tokens, types)
  }

  // MARK: The settings beside it

  private func id(_ name: String) -> Int? {
    file["tokenizer.ggml.\(name)_token_id"]?.int.flatMap { tokens.indices.contains($0) ? $0 : nil }
  }

  private static let names = [("bos", "bos"), ("eos", "eos"), ("unk", "unknown"), ("pad", "padding")]

  var specialIDs: [(key: String, id: Int)] {
    Self.names.filter { $0.0 != "unk" }.compactMap { ours, theirs in id(theirs).map { ("\(ours)_token_id", $0) } }
  }

  var configuration: JSON {
    var members: [(String, JSON)] = [("tokenizer_class", "PreTrainedTokenizerFast"), ("clean_up_tokenization_spaces", false)]
    members += Self.names.compactMap { ours, theirs in id(theirs).map { ("\(ours)_token", .string(tokens[$0])) } }
    for name in ["bos", "eos"] {
      if let adds = file["tokenizer.ggml.add_\(name)_token"]?.bool { members.append(("add_\(name)_token", .bool(adds))) }
    }
    if let architecture = file["general.architecture"]?.string, let length = file["\(architecture).context_length"]?.int {
      members.append(("model_max_length", .integer(length)))
    }
    if let template = file["tokenizer.chat_template"]?.string { members.append(("chat_template", .string(template))) }
    return .object(JSONObject(members))
  }

  // MARK: tokenizer.json

  func tokenizer() throws(CheckpointError) -> JSON {
    let vocabulary = try vocabulary()
    let steps = kind == "llama" ? pieceSteps(vocabulary) : try byteLevelSteps(vocabulary)
    return [
      "version": "1.0", "truncation": .null, "padding": .null, "added_tokens": .array(added()), "normalizer": steps.normalizer,
      "pre_tokenizer": steps.preTokenizer, "post_processor": surroundings(), "decoder": steps.decoder, "model": steps.model,
    ]
  }

  private typealias Steps = (model: JSON, normalizer: JSON, preTokenizer: JSON, decoder: JSON)

  /// Ids by tokens, but for rows of the table that no token has.
  private func vocabulary() throws(CheckpointError) -> [String: Int] {
    var ids: [String: Int] = [:]
    for (id, token) in tokens.enumerated() where types[id] != .unused {
      guard ids.updateValue(id, forKey: token) == nil else { throw .malformed(file.path, "has two tokens \"\(token)\"") }
    }
    return ids
  }

  private func model(_ merges: [(String, String)], unknown: JSON, _ other: (isPieces: Bool, ignoresMerges: Bool)) -> JSON {
    let vocabulary = tokens.enumerated().filter { types[$0.offset] != .unused }.map { ($0.element, JSON.integer($0.offset)) }
    return [
      "type": "BPE", "dropout": .null, "unk_token": unknown, "continuing_subword_prefix": .null, "end_of_word_suffix": .null,
      "fuse_unk": .bool(other.isPieces), "byte_fallback": .bool(other.isPieces), "ignore_merges": .bool(other.ignoresMerges),
      "vocab": .object(JSONObject(vocabulary)), "merges": .array(merges.map { [.string($0), .string($1)] }),
    ]
  }

  /// The steps of byte-level tokenizers.
  private func byteLevelSteps(_ vocabulary: [String: Int]) throws(CheckpointError) -> Steps {
    let name = file["tokenizer.ggml.pre"]?.string ?? "default"
    guard let splitting = GGUFSplitting(named: name) else {
      let known = GGUFSplitting.allCases.flatMap(\.names).joined(separator: ", ")
      throw CheckpointError(
        .unsupported, file.path, "splits text by '\(name)', of which \(known) are read", remedy: "take the model's original checkpoint")
    }
    var merges: [(String, String)] = []
    for merge in file["tokenizer.ggml.merges"]?.array?.strings ?? [] {
      let parts = merge.split(separator: " ", omittingEmptySubsequences: false).map(String.init)
      guard parts.count == 2, vocabulary[parts[0]] != nil, vocabulary[parts[1]] != nil, vocabulary[parts[0] + parts[1]] != nil else {
        throw .malformed(file.path, "the merge \"\(merge)\" is not of two tokens that make a third")
      }
      merges.append((parts[0], parts[1]))
    }
    let decoder: JSON = ["type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true]
    return (model(merges, unknown: .null, (false, splitting.takesWholePieces)), splitting.normalizer, splitting.preTokenizer, decoder)
  }

  /// The steps of tokenizers of SentencePiece's kind, whose scores order the merges.
  private func pieceSteps(_ vocabulary: [String: Int]) -> Steps {
    let prepends = file["tokenizer.ggml.add_space_prefix"]?.bool ?? true
    let space: JSON = ["type": "Replace", "pattern": ["String": " "], "content": "▁"]
    let normalizers: [JSON] = prepends ? [["type": "Prepend", "prepend": "▁"], space] : [space]
    var decoders: [JSON] = [["type": "Replace", "pattern": ["String": "▁"], "content": " "], ["type": "ByteFallback"], ["type": "Fuse"]]
    if prepends { decoders.append(["type": "Strip", "content": " ", "start": 1, "stop": 0]) }
    let unknown: JSON = types.firstIndex(of: .unknown).map { .string(tokens[$0]) } ?? .null
    return (
      model(rankedMerges(vocabulary), unknown: unknown, (true, false)), ["type": "Sequence", "normalizers": .array(normalizers)], .null,
      ["type": "Sequence", "decoders": .array(decoders)]
    )
  }

  /// The bytes of the longest token that is made by merging: none of a trained vocabulary is longer.
  private static let longestMerged = 256

  /// Every pair of tokens that makes a third, the highest score first, as llama.cpp merges.
  private func rankedMerges(_ vocabulary: [String: Int]) -> [(String, String)] {
    let scores = file["tokenizer.ggml.scores"]?.array?.floats ?? []
    let isText = { (id: Int) in types[id] == .normal || types[id] == .userDefined }
    var found: [(left: String, right: String, score: Float)] = []
    for (id, token) in tokens.enumerated() where isText(id) && scores.indices.contains(id) && token.utf8.count <= Self.longestMerged {
      for cut in token.unicodeScalars.indices.dropFirst() {
        let (left, right) = (String(token.unicodeScalars[..<cut]), String(token.unicodeScalars[cut...]))
        guard let first = vocabulary[left], let second = vocabulary[right], isText(first), isText(second) else { continue }
        found.append((left, right, scores[id]))
      }
    }
    func rank(_ merge: (left: String, right: String, score: Float)) -> (Float, Int, Int) {
      (-merge.score, -merge.left.unicodeScalars.count, -merge.right.unicodeScalars.count)
    }
    // Equal ones stay in the order of their tokens.
    return found.enumerated().sorted { a, b in
      let (first, second) = (rank(a.element), rank(b.element))
      return first == second ? a.offset < b.offset : first < second
    }.map { ($0.element.left, $0.element.right) }
  }

  private func added() -> [JSON] {
    tokens.indices.filter { [.unknown, .control, .userDefined].contains(types[$0]) }.map { id in
      let isSpecial = types[id] != .userDefined
      return [
        "id": .integer(id), "content": .string(tokens[id]), "single_word": false, "lstrip": false, "rstrip": false, "normalized": false,
        "special": .bool(isSpecial),
      ]
    }
  }

  /// The tokens around each text, or null for none.
  private func surroundings() -> JSON {
    func added(_ name: String) -> Int? { file["tokenizer.ggml.add_\(name)_token"]?.bool == true ? id(name) : nil }
    let (first, last) = (added("bos"), added("eos"))
    guard first != nil || last != nil else { return .null }
    func item(_ id: Int?, _ type: Int) -> [JSON] { id.map { [["SpecialToken": ["id": .string(tokens[$0]), "type_id": .integer(type)]]] } ?? [] }
    func surrounded(_ sequence: JSON, _ type: Int) -> [JSON] {
      item(first, type) + [["Sequence": ["id": sequence, "type_id": .integer(type)]]] + item(last, type)
    }
    let special = [first, last].compactMap(\.self).map { id -> (String, JSON) in
      (tokens[id], ["id": .string(tokens[id]), "ids": [.integer(id)], "tokens": [.string(tokens[id])]])
    }
    return [
      "type": "TemplateProcessing", "single": .array(surrounded("A", 0)), "pair": .array(surrounded("A", 0) + surrounded("B", 1)),
      "special_tokens": .object(JSONObject(Dictionary(special) { first, _ in first }.sorted { $0.key < $1.key })),
    ]
  }
}
