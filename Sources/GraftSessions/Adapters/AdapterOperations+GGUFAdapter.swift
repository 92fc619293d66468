import GraftAdapters
import GraftCheckpoints
import GraftJSON
import GraftLayers
import GraftModels
import GraftTensors

extension AdapterOperations {
  /// Writes a LoRA adapter as llama.cpp applies it.
  ///
  /// llama.cpp has one alpha for all modules: each module's own scale is folded into its second factor.
  /// - Parameter model: the base, where the adapter does not tell what is needed of it.
  /// - Throws: `SessionError` for what the format cannot express, or where the base is needed.
  public static func exportGGUF(_ adapter: String, model: String? = nil, to output: String) throws {
    try OutputPlace.file(output, apartFrom: [adapter])
    let file = try AdapterFile.read(adapter)
    let stored = try file.adapter()
    let method = try linearDeltas(of: stored, from: adapter)
    let base = try (model ?? ModelReference.knownBase(of: adapter)).map {
      try GGUFBase(try Checkpoint.configuration(in: $0), source: "\($0)/config.json")
    }
    if let base, let recorded = file.base { try recorded.verify(BaseFingerprint(ofModel: base.json), for: adapter) }
    guard let architecture = try base?.architecture ?? file.base?.modelType.map({ try ModelFamily.gguf(of: $0, source: adapter) }) else {
      throw SessionError(.usage, "\(adapter): does not tell what it was trained on; add --model")
    }
    let pairs = try factorPairs(of: stored, from: adapter)
    let reference = try method.factors(for: pairs[0].module)
    let unscaled = reference.scale * Float(reference.rank)
    let alpha = unscaled == 0 ? 1 : unscaled
    var tensors: [(name: String, tensor: Tensor)] = []
    for pair in pairs {
      guard let name = architecture.name(of: pair.module) else {
        throw SessionError(.data, "\(adapter): llama.cpp has no counterpart of \(pair.module); merge the adapter and export the model")
      }
      if pair.module == "lm_head", try base?.configuration.bool("tie_word_embeddings", default: false) ?? false {
        throw SessionError(.data, "\(adapter): the head shares the embedding's matrix, which llama.cpp cannot adapt apart; merge the adapter")
      }
      guard base != nil || !architecture.reorders(pair.module) else {
        throw SessionError(.usage, "\(adapter): the number of heads is needed to order the rows of \(pair.module); add --model")
      }
      let rank = pair.b.shape[1]
      let scale = try method.factors(for: pair.module).scale * Float(rank) / alpha
      var b = pair.b.converted(to: .float32)
      if scale != 1 { b = scale * b }
      if let base { b = try base.rows(of: b, in: pair.module) }
      let a = pair.a.converted(to: .float32)
      tensors.append(("\(name).weight.lora_a", pair.isEmbedding ? a.transposed : a))
      tensors.append(("\(name).weight.lora_b", b))
    }
    let metadata: [(key: String, value: GGUFValue)] = [
      ("general.architecture", .string(architecture.name)), ("general.type", .string("adapter")), ("general.file_type", .uint32(0)),
      ("adapter.type", .string("lora")), ("adapter.lora.alpha", .float32(alpha)), (GGUFFile.generatorKey, .string("graft")),
    ]
    try writeGGUF(metadata, tensors, to: output)
  }

  /// The method of an adapter that consists of pairs of factors alone.
  private static func linearDeltas(of stored: StoredAdapter, from adapter: String) throws -> LoRA {
    func refuse(_ what: String) -> SessionError {
      SessionError(.data, "\(adapter): \(what) cannot be written as a GGUF adapter; merge it with `graft merge --format gguf`")
    }
    guard let method = try MethodCatalog.decode(stored: stored.configuration, from: adapter) as? LoRA else { throw refuse(stored.peftType) }
    if method.loraBias || method.bias != .none { throw refuse("a bias (bias or lora_bias)") }
    if method.modulesToSave?.isEmpty == false { throw refuse("a whole module (modules_to_save)") }
    if let key = method.keyUnlikePlain { throw refuse("a change that is not the product of two factors (\(key))") }
    if method.initLoraWeights.changesBase { throw refuse("a delta relative to another base (init_lora_weights)") }
    return method
  }

  private struct FactorPair {
    let module: String
    /// `[r, in]` and `[out, r]`; `[r, entries]` and `[width, r]` of an embedding.
    let a: Tensor, b: Tensor
    let isEmbedding: Bool
  }

  /// The tensors in pairs, in the order of the file.
  /// - Throws: `SessionError` that names what is no part of a pair, or does not fit its other half.
  private static func factorPairs(of stored: StoredAdapter, from adapter: String) throws -> [FactorPair] {
    let kinds: [(a: String, b: String, isEmbedding: Bool)] = [
      (".lora_A.weight", ".lora_B.weight", false), (".lora_embedding_A", ".lora_embedding_B", true),
    ]
    let tensors = Dictionary(stored.tensors.map { ($0.name, $0.tensor) }) { first, _ in first }
    var pairs: [FactorPair] = []
    var used: Set<String> = []
    for name in stored.tensors.map(\.name) {
      guard let kind = kinds.first(where: { name.hasSuffix($0.a) }), let a = tensors[name] else { continue }
      let path = String(name.dropLast(kind.a.count))
      let module = path.replacing("base_model.model.", with: "", maxReplacements: 1)
      guard let b = tensors[path + kind.b] else { throw SessionError(.data, "\(adapter): has \(name), but no \(path + kind.b)") }
      guard a.shape.rank == 2, b.shape.rank == 2, a.shape[0] == b.shape[1] else {
        throw SessionError(.data, "\(adapter): \(name) \(a.shape) does not fit \(path + kind.b) \(b.shape)")
      }
      pairs.append(FactorPair(module: module, a: a, b: b, isEmbedding: kind.isEmbedding))
      used.formUnion([name, path + kind.b])
    }
    // PEFT keeps a copy of the frozen matrix beside the delta of an embedding or a head.
    let rest = (stored.tensors + stored.head).map(\.name).filter { !used.contains($0) && !$0.hasSuffix(".base_layer.weight") }
    guard rest.isEmpty, !pairs.isEmpty else {
      throw SessionError(
        .data, "\(adapter): \(rest.first ?? "nothing") cannot be written as a GGUF adapter; merge it with `graft merge --format gguf`")
    }
    return pairs
  }

  static func writeGGUF(_ metadata: [(key: String, value: GGUFValue)], _ tensors: [(name: String, tensor: Tensor)], to output: String) throws {
    let byName = Dictionary(tensors.map { ($0.name, $0.tensor) }) { first, _ in first }
    try GGUFWriter.write(metadata: metadata, tensors.map { GGUFTensor(name: $0.name, of: $0.tensor) }, to: output) {
      byName[$0.name] ?? Tensor([], [0])
    }
  }
}
