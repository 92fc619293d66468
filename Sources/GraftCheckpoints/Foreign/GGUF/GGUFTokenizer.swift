import GraftJSON
import GraftTokenizers

/// llama.cpp's types of tokens.
enum GGUFTokenType: Int32 { case normal = 1, unknown, control, userDefined, unused, byte }

/// A tokenizer as llama.cpp keeps it in a model's file.
package struct GGUFTokenizer {
  /// The key of a file's metadata with the whole of a `tokenizer.json`, which llama.cpp passes over (the GGUF specification, "Tokenizer").
  static let wholeKey = "tokenizer.huggingface.json"

  private let path: String
  private let json: JSON
  private let tokenizer: Tokenizer

  /// - Parameters:
  ///   - tokenizer: the tokenizer to describe.
  ///   - json: the content of its `tokenizer.json`.
  ///   - path: that file, for messages.
  package init(_ tokenizer: Tokenizer, json: JSON, path: String) {
    self.tokenizer = tokenizer
    self.json = json
    self.path = path
  }

  /// The keys under `tokenizer`.
  ///
  /// - Parameter vocabularySize: the number of rows of the model's table; a row without a token is named and marked unused.
  /// - Throws: `CheckpointError` for a tokenizer that llama.cpp would not run alike.
  package func metadata(vocabularySize: Int, configuration: JSON) throws -> [(key: String, value: GGUFValue)] {
    guard json["model"]?["type"]?.string == "BPE" else { throw refusal("its model is \(json["model"]?["type"]?.string ?? "unknown")") }
    let fallsBack = json["model"]?["byte_fallback"]?.bool == true
    let merges = try mergePairs()
    var metadata: [(key: String, value: GGUFValue)] = [("tokenizer.ggml.model", .string(fallsBack ? "llama" : "gpt2"))]
    if !fallsBack { metadata.append(("tokenizer.ggml.pre", .string(try splitting()))) }
    let (tokens, types) = try vocabulary(size: vocabularySize, hasByteTokens: fallsBack)
    metadata.append(("tokenizer.ggml.tokens", .array(GGUFArray(tokens))))
    if fallsBack { metadata.append(("tokenizer.ggml.scores", .array(GGUFArray(scores(of: tokens, merges))))) }
    metadata.append(("tokenizer.ggml.token_type", .array(GGUFArray(types))))
    if !fallsBack {
      let lines = merges.map { "\($0.replacing(" ", with: "\u{120}")) \($1.replacing(" ", with: "\u{120}"))" }
      metadata.append(("tokenizer.ggml.merges", .array(GGUFArray(lines))))
    }
    metadata += special(configuration) + (fallsBack ? [("tokenizer.ggml.add_space_prefix", .bool(prependsSpace))] : [])
    // The whole of it besides, for whoever makes a checkpoint of the file again: llama.cpp's keys do not tell all.
    return metadata + [(Self.wholeKey, .string(json.serialized()))]
  }

  private func refusal(_ what: String) -> CheckpointError {
    CheckpointError(.unsupported, path, "\(what), which GGUF files are not written for", remedy: "write a checkpoint directory")
  }

  // MARK: The vocabulary

  private func vocabulary(size: Int, hasByteTokens: Bool) throws -> (tokens: [String], types: [Int32]) {
    var tokens: [String?] = Array(repeating: nil, count: size)
    var types = Array(repeating: GGUFTokenType.normal, count: size)
    let unknown = json["model"]?["unk_token"]?.string
    func put(_ token: String, _ id: Int?, _ type: GGUFTokenType) throws {
      guard let id, tokens.indices.contains(id) else { throw refusal("the token \"\(token)\" is beyond the model's vocabulary of \(size)") }
      tokens[id] = token
      types[id] = type
    }
    for (token, id) in json["model"]?["vocab"]?.object ?? [:] {
      let isByte = hasByteTokens && token.utf8.count == 6 && token.hasPrefix("<0x") && token.hasSuffix(">")
      try put(token, id.int, isByte ? .byte : .normal)
    }
    for added in json["added_tokens"]?.array ?? [] {
      guard let token = added["content"]?.string else { continue }
      let isSpecial = added["special"]?.bool == true
      try put(token, added["id"]?.int, hasByteTokens && token == unknown ? .unknown : isSpecial ? .control : .userDefined)
    }
    for id in tokens.indices where tokens[id] == nil { types[id] = .unused }
    return (tokens.enumerated().map { $1 ?? "[PAD\($0)]" }, types.map(\.rawValue))
  }

  /// Pairs of pieces in the order in which they are merged.
  private func mergePairs() throws -> [(String, String)] {
    try (json["model"]?["merges"]?.array ?? []).map { merge in
      let parts = merge.array?.compactMap(\.string) ?? merge.string?.split(separator: " ").map(String.init) ?? []
      guard parts.count == 2 else { throw refusal("one of its merges is no pair") }
      return (parts[0], parts[1])
    }
  }

  /// llama.cpp merges the pair whose product has the highest score first.
  private func scores(of tokens: [String], _ merges: [(String, String)]) -> [Float] {
    let ranks = Dictionary(zip(merges.map { $0 + $1 }, 0...)) { first, _ in first }
    return tokens.map { -Float(ranks[$0] ?? merges.count) }
  }

  /// Returns llama.cpp's name of the way in which text is split.
  private func splitting() throws -> String {
    guard let splitting = GGUFSplitting(json["pre_tokenizer"]) else {
      let parts = json["pre_tokenizer"]?["pretokenizers"]?.array ?? [json["pre_tokenizer"]].compactMap(\.self)
      throw refusal(parts.last?["type"]?.string == "ByteLevel" ? "it splits text by a pattern of its own" : "it is not byte-level")
    }
    return splitting.names[0]
  }

  /// True where text gets a space in front.
  private var prependsSpace: Bool {
    let normalizers = json["normalizer"]?["normalizers"]?.array ?? [json["normalizer"]].compactMap(\.self)
    let preTokenizers = json["pre_tokenizer"]?["pretokenizers"]?.array ?? [json["pre_tokenizer"]].compactMap(\.self)
    return normalizers.contains { $0["type"]?.string == "Prepend" }
      || preTokenizers.contains { part in
        part["type"]?.string == "Metaspace" && (part["prepend_scheme"]?.string ?? "always") != "never" && part["add_prefix_space"]?.bool != false
      }
  }

  // MARK: Special tokens

  private func special(_ configuration: JSON) -> [(key: String, value: GGUFValue)] {
    func id(_ key: String, _ known: Int32?) -> Int32? {
      let given = configuration[key]
      return known ?? (given?.int ?? given?.array?.first?.int).flatMap(Int32.init(exactly:))
    }
    let beginning = id("bos_token_id", tokenizer.beginningOfSequenceID)
    let end = id("eos_token_id", tokenizer.endOfSequenceID)
    var metadata: [(key: String, value: GGUFValue)] = []
    for (name, id) in [("bos", beginning), ("eos", end), ("unknown", tokenizer.unknownID), ("padding", id("pad_token_id", tokenizer.paddingID))] {
      if let id { metadata.append(("tokenizer.ggml.\(name)_token_id", .uint32(UInt32(bitPattern: id)))) }
    }
    // What stands round a text tells what the tokenizer adds, whatever its files say.
    let encoded = tokenizer.encode("a")
    metadata.append(("tokenizer.ggml.add_bos_token", .bool(beginning != nil && encoded.first == beginning)))
    metadata.append(("tokenizer.ggml.add_eos_token", .bool(end != nil && encoded.last == end)))
    if let template = tokenizer.configuration.chatTemplate { metadata.append(("tokenizer.chat_template", .string(template))) }
    return metadata
  }
}
