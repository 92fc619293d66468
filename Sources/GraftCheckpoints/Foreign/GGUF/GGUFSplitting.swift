import GraftJSON

/// The ways of splitting text before byte-level encoding that llama.cpp has names for, and the tokenizers library components.
enum GGUFSplitting: CaseIterable {
  /// Words with the space before them, as GPT-2 has them.
  case words
  /// The same with every digit apart.
  case digits
  /// Words, and at most three digits.
  case threeDigits
  /// Words, and single digits, of text in normal form C.
  case singleDigits

  /// llama.cpp's names (`tokenizer.ggml.pre`); the first is written.
  var names: [String] {
    switch self {
    case .words: ["gpt-2", "phi-2", "mpt", "olmo", "jais"]
    case .digits: ["smollm", "starcoder", "refact", "command-r", "codeshell"]
    case .threeDigits: ["llama-bpe", "llama3", "llama-v3", "falcon3", "pixtral"]
    case .singleDigits: ["qwen2", "deepseek-r1-qwen"]
    }
  }

  /// - Parameter name: one of llama.cpp's.
  init?(named name: String) {
    guard let known = Self.allCases.first(where: { $0.names.contains(name) }) else { return nil }
    self = known
  }

  /// - Parameter preTokenizer: that of a `tokenizer.json`.
  init?(_ preTokenizer: JSON?) {
    let parts = preTokenizer?["pretokenizers"]?.array ?? [preTokenizer].compactMap(\.self)
    guard parts.last?["type"]?.string == "ByteLevel" else { return nil }
    let usesPattern = parts.last?["use_regex"]?.bool ?? true
    if parts.count == 1, usesPattern {
      self = .words
    } else if parts.count == 2, usesPattern, parts[0]["type"]?.string == "Digits", parts[0]["individual_digits"]?.bool == true {
      self = .digits
    } else if parts.count == 2, !usesPattern, parts[0]["behavior"]?.string == "Isolated",
      let known = Self.allCases.first(where: { $0.pattern != nil && $0.pattern == parts[0]["pattern"]?["Regex"]?.string })
    {
      self = known
    } else {
      return nil
    }
  }

  /// The pattern of pieces; nil where the byte-level step has it.
  private var pattern: String? {
    switch self {
    case .words, .digits: nil
    case .threeDigits:
      #"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"#
    case .singleDigits:
      #"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"#
    }
  }

  /// The `pre_tokenizer` of a `tokenizer.json`.
  var preTokenizer: JSON {
    let bytes: JSON = ["type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": .bool(pattern == nil)]
    let first: JSON
    if let pattern {
      first = ["type": "Split", "pattern": ["Regex": .string(pattern)], "behavior": "Isolated", "invert": false]
    } else if self == .digits {
      first = ["type": "Digits", "individual_digits": true]
    } else {
      return bytes
    }
    return ["type": "Sequence", "pretokenizers": [first, bytes]]
  }

  /// The `normalizer` that the tokenizers of this way have.
  var normalizer: JSON { self == .singleDigits ? ["type": "NFC"] : .null }

  /// True where a piece that is a token is not merged (llama.cpp's `ignore_merges`).
  var takesWholePieces: Bool { self == .threeDigits }
}
