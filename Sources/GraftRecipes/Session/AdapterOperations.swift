import GraftAdapters
import GraftBatching
import GraftCheckpoints
import GraftJSON
import GraftLayers
import GraftModels
import GraftTensors

/// What is done with adapters besides training and running them.
public enum AdapterOperations {
  /// Writes an adapter in PEFT's format.
  /// - Parameter overwrites: whether an earlier export makes way.
  public static func exportPEFT(_ adapter: String, to output: String, overwrites: Bool = false) throws {
    let replacement = try OutputPlace.directory(output, apartFrom: [adapter], overwrites: overwrites, replaceable: PEFTDirectory.replaceable)
    let file = try AdapterFile.read(adapter)
    try PEFTDirectory.write(try file.adapter(), baseModelName: file.base?.name, to: output, replacing: replacement)
  }

  /// Writes a bottleneck adapter as AdapterHub's library reads it.
  /// - Parameter overwrites: whether an earlier export makes way.
  /// - Throws: `SessionError` for another method.
  public static func exportAdapterHub(_ adapter: String, to output: String, overwrites: Bool = false) throws {
    let replacement = try OutputPlace.directory(output, apartFrom: [adapter], overwrites: overwrites, replaceable: AdapterHubDirectory.replaceable)
    let file = try AdapterFile.read(adapter), stored = try file.adapter()
    guard let method = try MethodCatalog.decode(stored: stored.configuration, from: adapter) as? BottleneckAdapter else {
      throw SessionError(.data, "\(adapter): \(stored.peftType) has no place in an AdapterHub directory, which is for ADAPTER; use --format peft")
    }
    try AdapterHubDirectory.write(
      stored, method: try method.adapterHubConfiguration(), base: file.base, name: stored.name, to: output, replacing: replacement)
  }

  /// Writes an adapter in our own format.
  public static func exportHDF5(_ adapter: String, to output: String) throws {
    try OutputPlace.file(output, apartFrom: [adapter])
    try AdapterArchive.write(try AdapterFile.read(adapter), to: output)
  }

  /// Writes the weighted sum of LoRA adapters as one adapter: an HDF5 file where the name ends with `.h5`, else a PEFT directory.
  /// - Parameter overwrites: whether an earlier export makes way.
  /// - Throws: `SessionError` for adapters of different bases or tasks, and what reading, combining and writing throw.
  public static func combine(
    _ adapters: [WeightedAdapter], by combination: AdapterCombination, to output: String, overwrites: Bool = false
  ) throws {
    let inputs = adapters.map(\.path), isFile = output.hasSuffix(".h5")
    if isFile { try OutputPlace.file(output, apartFrom: inputs) }
    let replacement = isFile
      ? .none : try OutputPlace.directory(output, apartFrom: inputs, overwrites: overwrites, replaceable: PEFTDirectory.replaceable)
    let files = try adapters.map { try AdapterFile.read($0.path) }
    let bases = files.compactMap(\.base)
    for (file, base) in zip(files, bases) {
      guard let difference = bases[0].differences(from: base).first else { continue }
      throw SessionError(.data, "\(file.location): belongs to another base than \(adapters[0].path): \(difference)")
    }
    let combined = try combination.combine(try zip(files, adapters).map { (try $0.adapter(), $1.weight) })
    if isFile {
      try AdapterArchive.write(AdapterFile(base: bases.first, adapters: [combined]), to: output)
    } else {
      try PEFTDirectory.write(combined, baseModelName: bases.first?.name, to: output, replacing: replacement)
    }
  }

  /// What is made of a merged model.
  public enum MergedFormat: Sendable {
    /// A Hugging Face checkpoint directory.
    case directory
    /// A file for llama.cpp.
    case gguf
  }

  /// What merging found.
  public struct MergeReport {
    /// The largest difference of a probe's log-probabilities, before the weights were rounded.
    public let difference: Float
    /// What somebody who uses the result should know.
    public let notes: [String]
  }

  /// Writes the base with adapters folded in one after another, as a checkpoint that needs none.
  ///
  /// The products are computed in float32, then a probe runs through the adapted and the merged model.
  /// - Parameters:
  ///   - combination: how several LoRA adapters become one first; nil adds up exactly what they change.
  ///   - dtype: the type of the written tensors. Only float32 keeps what the products computed; nil keeps each tensor as
  ///     the base stores it.
  ///   - overwrites: whether an earlier result makes way.
  /// - Throws: `SessionError` where that difference is beyond rounding, or the format has no place for the model.
  @discardableResult
  public static func merge(
    model: String, adapters: [WeightedAdapter], combination: AdapterCombination? = nil, to output: String,
    format: MergedFormat = .directory, dtype: DType? = .float32, ignoresFingerprint: Bool = false, overwrites: Bool = false
  ) throws -> MergeReport {
    let inputs = [model] + adapters.map(\.path)
    if format == .gguf { try OutputPlace.file(output, apartFrom: inputs) }
    let replacement = format == .gguf
      ? .none
      : try OutputPlace.directory(
        output, apartFrom: inputs, overwrites: overwrites, replaceable: try ModelDirectoryWriter.replaceable(copyingFilesFrom: model))
    let session = try ModelSession(model: model, adapters: adapters, combination: combination, ignoresFingerprint: ignoresFingerprint)
    let adapted = try probe(session)
    try session.adapters.merge()
    let merged = try probe(session)
    let difference = zip(adapted, merged).map { abs($0 - $1) }.max() ?? 0
    guard difference < 1e-3 else {
      let names = adapters.isEmpty ? model : adapters.map(\.path).joined(separator: " + ")
      throw SessionError(.data, "\(names): merged and adapted model differ by \(difference) in a log-probability; keep the adapter separate")
    }
    switch format {
    case .directory:
      try write(
        session.model, base: session.directory, task: session.task, labels: session.labels, tokenizer: session.newTokens?.extended.json,
        dtype: dtype, to: output, replacing: replacement)
      return MergeReport(difference: difference, notes: [])
    case .gguf: return MergeReport(difference: difference, notes: try writeGGUF(session, dtype: dtype ?? .float32, to: output))
    }
  }

  /// Writes a model's present weights under the names of a base checkpoint, heads that it lacks under their own.
  /// - Parameters:
  ///   - labels: the names of a classifier's labels.
  ///   - tokenizer: the content of `tokenizer.json`, where it is not the base's.
  ///   - replacement: which existing directory makes way.
  static func write(
    _ model: any Model, base: ModelDirectory, task: LearningTask, labels: [String], tokenizer: JSON? = nil, dtype: DType?, to output: String,
    replacing replacement: AtomicDirectory.Replacement
  ) throws {
    let catalog = model.catalog, checkpoint = base.checkpoint
    let owners = Dictionary(
      catalog.parameters.map { parameter in
        (([parameter.path] + ModelRegistry.aliases(of: parameter.path)).first(where: checkpoint.contains) ?? parameter.path, parameter)
      }) { first, _ in first }
    let stored = Set(checkpoint.descriptions.map(\.name)), isGrown = base.weights !== checkpoint
    let added = owners.filter { !stored.contains($0.key) }.map { TensorDescription(name: $0.key, of: $0.value.value) }
    // Beside a new head the rest goes by its full names, too: a checkpoint of a bare encoder leaves out their prefix.
    func name(_ stored: String) -> String { added.isEmpty ? stored : owners[stored]?.path ?? stored }
    let storedNames = Dictionary(stored.map { (name($0), $0) }) { first, _ in first }
    let descriptions = try checkpoint.descriptions.map { description in
      TensorDescription(
        name: name(description.name), elementType: dtype.map(ElementType.init) ?? description.elementType,
        shape: isGrown ? try base.weights.tensor(description.name).shape.dimensions : description.shape)
    }
    var configuration = base.configuration
    if let dtype {
      configuration[configuration["dtype"] == nil ? "torch_dtype" : "dtype"] = .string(dtype.description)
    }
    record(model, task: task, labels: labels, in: &configuration)
    try ModelDirectoryWriter(directory: output, replacing: replacement).write(
      descriptions + added, configuration: configuration, copyingFilesFrom: checkpoint.directory, tokenizer: tokenizer
    ) { description in
      let name = storedNames[description.name] ?? description.name
      let value = try owners[name]?.value ?? base.weights.tensor(name)
      return description.elementType.dtype.map(value.converted) ?? value
    }
  }

  /// Notes in a configuration what it does not say yet: the model's class, the names of its labels, and which tokens see which.
  static func record(_ model: any Model, task: LearningTask, labels: [String], in configuration: inout JSON) {
    let hasClass = configuration["architectures"]?[0]?.string != nil && LearningTask(of: configuration) == task
    let name = ModelRegistry.architectureName(model.modelType, task: task, pairsSentences: model is any SentencePairModel)
    if !hasClass, let name { configuration["architectures"] = .array([.string(name)]) }
    if task == .sequenceClassification || task == .tokenClassification {
      let names = labels.isEmpty ? (model as? any SequenceClassifier).map { (0..<$0.labelCount).map { "LABEL_\($0)" } } ?? [] : labels
      configuration["id2label"] = .object(JSONObject(names.enumerated().map { (String($0), .string($1)) }))
      configuration["label2id"] = .object(JSONObject(names.enumerated().map { ($1, .integer($0)) }))
    }
    let key = ArchitectureConfiguration.attentionStyleKey
    guard let style = model.attentionStyle, style.rawValue != configuration[key]?.string ?? AttentionStyle.causal.rawValue else { return }
    configuration[key] = .string(style.rawValue)
  }

  /// What the model makes of a fixed run of tokens.
  private static func probe(_ session: ModelSession) throws -> [Float] {
    let tokens = (0..<16).map { Int32(($0 * 37 + 11) % session.model.vocabularySize) }
    let input = SequenceInput([tokens])
    switch session.model {
    case let model as any SequenceToSequenceModel:
      let hidden = model.decode(input, over: model.encode(input, .inference), .inference)
      return model.predictions(hidden, targets: tokens).map(\.logProbability)
    case let model as any MaskedLanguageModel:
      return model.predictions(model.transformed(model.hiddenStates(input, .inference), .inference), targets: tokens).map(\.logProbability)
    case let model as any LanguageModel:
      return model.predictions(model.hiddenStates(input, .inference), targets: tokens).map(\.logProbability)
    case let model as any SequenceClassifier: return model.logits(input, .inference).values
    case let model as any TokenClassifier: return model.logits(input, .inference).values
    default: return session.model.hiddenStates(input, .inference).values
    }
  }
}
