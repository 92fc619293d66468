import GraftBatching
import GraftDatasets
import GraftLayers
import GraftTensors
import GraftTokenizers

/// The wishes of a caller for embeddings; nil leaves one to the checkpoint.
public struct EmbeddingOptions: Sendable {
  /// The pooling of hidden states; the checkpoint's, or their mean, where nil.
  public var pooling: Pooling?
  /// True where vectors have length 1; the checkpoint's way where nil.
  public var normalizes: Bool?
  /// The text in front of every text.
  public var prompt: String?
  /// The name of one of the checkpoint's prompts.
  public var promptName: String?

  /// The settings of the model's own files.
  public init() {}
}

extension ModelSession {
  /// One vector a record, from the last hidden states after the final norm.
  ///
  /// - Parameter modules: what the checkpoint says about sentences; nil where it says nothing.
  /// - Returns: `[records][hidden]`, or as wide as the last of the modules makes it.
  /// - Throws: `DatasetError` for a record without a text, `SequenceError` for one that the model has no place for, `SessionError` for
  ///   options that the checkpoint does not know.
  public func embeddings(of path: String, _ options: EmbeddingOptions, modules: SentenceModules? = nil) throws -> [[Float]] {
    let prompt = try options.prompt ?? modules?.prompt(named: options.promptName) ?? ""
    if modules == nil, let name = options.promptName {
      throw SessionError(.usage, "--prompt-name: \(name) is not there, as \(self.path) has no modules.json; give the text with --prompt")
    }
    let texts = try DataFile.records(of: path).map { try sentenceTokens(of: $0, prompt: prompt, modules) }
    let steps = sentenceSteps(options, modules)
    let skipped = try prompt.isEmpty ? 0 : promptLength(prompt, modules)
    return try texts.indices.grouped(tokens: { texts[$0].count }).flatMap { group in
      let input = SequenceInput(group.map { texts[$0] })
      let hidden = model.hiddenStates(input, .inference)
      try requireFinite(hidden.values)
      var vectors = hidden
      for step in steps { vectors = try apply(step, to: vectors, input.spans.map(\.range), skipping: skipped) }
      let values = vectors.values
      let width = vectors.shape.columns
      let kept = min(modules?.keptCount ?? width, width)
      return group.indices.map { Array(values[$0 * width..<$0 * width + kept]) }
    }
  }

  /// The steps after the hidden states: as the options say, and else the checkpoint.
  private func sentenceSteps(_ options: EmbeddingOptions, _ modules: SentenceModules?) -> [SentenceStep] {
    var steps = modules?.steps ?? [.pooling([.mean], includesPrompt: true)]
    if let pooling = options.pooling, case .pooling(_, let includesPrompt) = steps[0] {
      steps[0] = .pooling([pooling], includesPrompt: includesPrompt)
    }
    guard let normalizes = options.normalizes else { return steps }
    steps.removeAll { if case .normalize = $0 { true } else { false } }
    return normalizes ? steps + [.normalize] : steps
  }

  private func apply(_ step: SentenceStep, to x: Tensor, _ spans: [Range<Int>], skipping skipped: Int) throws -> Tensor {
    switch step {
    case .pooling(let modes, let includesPrompt):
      let values = x.values
      let width = x.shape.columns
      let vectors = spans.map { span in modes.flatMap { $0(values, width: width, rows: span, skipping: includesPrompt ? 0 : skipped) } }
      return Tensor(Array(vectors.joined()), [spans.count, width * modes.count])
    case .dense(let projection):
      try require(projection.weight.shape.columns, is: x.shape.columns)
      return projection(x)
    case .layerNorm(let weight, let bias):
      try require(weight.elementCount, is: x.shape.columns)
      return layerNorm(x, weight: weight, bias: bias, epsilon: 1e-5)
    case .normalize:
      let values = x.values
      let width = x.shape.columns
      let vectors = (0..<x.shape.rows).flatMap { row in Self.normalized(Array(values[row * width..<(row + 1) * width])) }
      return Tensor(vectors, x.shape)
    }
  }

  private func require(_ width: Int, is found: Int) throws {
    guard width != found else { return }
    throw SessionError(.data, "\(path): a module for vectors of \(width) values follows vectors of \(found); fetch the checkpoint again")
  }

  private static func normalized(_ vector: [Float]) -> [Float] {
    let norm = vector.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
    return vector.map { Float(Double($0) / max(norm, 1e-12)) }
  }

  /// The tokens of a record's text behind a prompt, cut to what the checkpoint says.
  private func sentenceTokens(of record: DataRecord, prompt: String, _ modules: SentenceModules?) throws -> [Int32] {
    guard let text = record.fields["text"]?.string ?? record.fields["prompt"]?.string else {
      throw DatasetError(file: record.file, line: record.line, problem: "has no \"text\"", advice: "write {\"text\": \"...\"}")
    }
    let ids = try sentenceTokens(prompt + text, modules)
    guard !ids.isEmpty else { throw DatasetError(file: record.file, line: record.line, problem: "has no tokens", advice: "write a text") }
    try model.check(ids, of: "\(record.file):\(record.line)")
    return ids
  }

  private func sentenceTokens(_ text: String, _ modules: SentenceModules?) throws -> [Int32] {
    let tokenizer = try tokenizer()
    guard let modules else { return tokenizer.encode(text) }
    let positions = ["max_position_embeddings", "n_positions"].lazy.compactMap { self.directory.configuration[$0]?.int }.first
    let limit = modules.maxLength ?? [tokenizer.configuration.maximumLength, positions].compactMap { $0 }.min()
    let encoding = tokenizer.encoding(of: modules.lowercases ? text.lowercasedByScalars : text)
    guard let limit, encoding.ids.count > limit else { return encoding.ids }
    // The tokens around the text stay.
    var excess = encoding.ids.count - limit
    var kept: [Int32] = []
    for (id, isSpecial) in zip(encoding.ids, encoding.specialTokensMask).reversed() {
      if excess > 0, !isSpecial { excess -= 1 } else { kept.append(id) }
    }
    return kept.reversed()
  }

  /// The number of a text's tokens that are the prompt in front of it, one that the tokenizer adds at the end left aside.
  private func promptLength(_ prompt: String, _ modules: SentenceModules?) throws -> Int {
    let ids = try sentenceTokens(prompt, modules)
    let isClosed = try ids.last.map { try tokenizer().isSpecial($0) } ?? false
    return ids.count - (isClosed ? 1 : 0)
  }

  /// The cosine of every pair of vectors.
  public static func cosineSimilarities(_ vectors: [[Float]]) -> [[Float]] {
    let norms = vectors.map { vector in vector.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot() }
    return vectors.indices.map { i in
      vectors.indices.map { j in
        let dot = zip(vectors[i], vectors[j]).reduce(0.0) { $0 + Double($1.0) * Double($1.1) }
        return Float(dot / max(norms[i] * norms[j], 1e-12))
      }
    }
  }
}

extension String {
  /// Every scalar in lower case by itself, as the tokenizers' normalizer writes it.
  fileprivate var lowercasedByScalars: String {
    var result = String.UnicodeScalarView()
    for scalar in unicodeScalars { result.append(contentsOf: scalar.properties.lowercaseMapping.unicodeScalars) }
    return String(result)
  }
}
