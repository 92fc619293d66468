import Foundation
import GraftAdapters
import GraftBatching
import GraftCheckpoints
import GraftConfiguration
import GraftDatasets
import GraftFiles
import GraftJSON
import GraftLayers
import GraftModels
import GraftRecipes
import GraftTensors
import GraftTokenizers

/// The base of a run: a checkpoint, or random weights of a configuration.
package struct TrainableBase {
  package let model: any Model
  package let name: String
  private let directory: ModelDirectory?
  private let configuration: JSON
  /// The directory of the tokenizer and its files.
  private let companion: String?
  private(set) var method: any TuningMethod
  let newTokens: NewTokens?
  private let read: Read

  /// - Parameters:
  ///   - labels: a classifier's labels; the configuration's where nil.
  ///   - frozenFormat: the format of frozen weights; that of the settings where nil.
  ///   - rehearsed: the same base without its weights, whose tokenizer is not read again; nil for none.
  ///   - progress: told how many of the checkpoint's tensors are loaded.
  package init(
    _ settings: RunSettings, labels: LabelScheme?, frozenFormat: ElementFormat? = nil, after rehearsed: TrainableBase? = nil,
    progress: ProgressHandler = { _ in }
  ) throws {
    let recipe = settings.recipe
    read = rehearsed?.read ?? Read()
    let method = settings.method
    companion = recipe.model.tokenizer ?? recipe.model.path
    newTokens = try companion.flatMap { try NewTokens(recipe.model.newTokens, directory: $0) }
    let style = recipe.model.attention
    let routerLosses = RouterLossFactors(balancing: recipe.training.routerAuxLossCoef, stability: recipe.training.routerZLossCoef)
    let seed = settings.seed
    try Self.requireTask(of: recipe)
    if let config = recipe.model.config {
      directory = nil
      var configuration = config.json
      if let newTokens { configuration["vocab_size"] = .integer(max(newTokens.vocabularySize, configuration["vocab_size"]?.int ?? 0)) }
      self.configuration = configuration
      name = "random \(configuration["model_type"]?.string ?? "model")"
      let request = ModelRequest(
        ArchitectureConfiguration(configuration, source: "model.config"), task: recipe.task.ofModel, labels: labels?.names.count,
        problem: labels?.problem, style: style, pairsSentences: recipe.data.nextSentence, routerLosses: routerLosses)
      let scope = Scope(
        source: nil, catalog: SiteCatalog(), frozenType: frozenFormat ?? settings.frozenFormat, quantization: recipe.weightQuantization, seed: seed)
      model = try ModelFamily.build(request, in: scope)
    } else {
      let path = recipe.model.path ?? ""
      let loaded = try ModelDirectory(
        path, task: recipe.task.ofModel, labels: labels?.names.count, problem: labels?.problem,
        frozenType: frozenFormat ?? settings.frozenFormat, quantization: recipe.weightQuantization, style: style,
        pairsSentences: recipe.data.nextSentence, seed: seed, vocabularySize: newTokens?.vocabularySize,
        routerLosses: routerLosses, progress: { progress(RunProgress(.loading, $0, of: $1)) })
      (directory, configuration, name, model) = (loaded, loaded.configuration, path, loaded.model)
    }
    self.method = try newTokens?.trained(by: method, in: model.catalog) ?? method
  }

  /// - Throws: `SessionError` for a task that the model's family does not have.
  static func requireTask(of recipe: Recipe) throws {
    guard let family = ModelFamily.named(by: try configuration(of: recipe)), !family.tasks.contains(recipe.task.ofModel) else { return }
    let tasks = family.tasks.map(\.rawValue).joined(separator: ", ")
    throw SessionError(.usage, "task: \(family.modelType) has no \(recipe.task.rawValue); choose one of \(tasks)")
  }

  /// Returns the same base, in memory once, for another recipe's method.
  package func adapted(to settings: RunSettings) throws -> TrainableBase {
    var copy = self
    copy.method = try newTokens?.trained(by: settings.method, in: model.catalog) ?? settings.method
    return copy
  }

  /// Bytes of weights in a mapped file, which no pool counts.
  package var mappedBytes: Int {
    model.catalog.parameters.reduce(0) { $0 + $1.stored.mappedByteCount }
  }

  /// Advice on the format that the base's weights are kept in, and on the learning rate.
  func advice(_ settings: RunSettings) -> [String] {
    let training = settings.recipe.training
    var advice: [String?] = []
    if let checkpoint = directory?.checkpoint, !isFull, settings.recipe.weightQuantization == nil, !checkpoint.isQuantized,
      settings.recipe.model.dtype.format == nil, settings.frozenFormat == .float32
    {
      for (type, format) in [(ElementType.bfloat16, ElementFormat.bfloat16), (.float16, .float16)] {
        let bytes = checkpoint.descriptions.reduce(0) { $0 + ($1.elementType == type ? $1.byteCount : 0) }
        advice.append(RunAdvice.widening(storedBytes: bytes, format: format))
      }
    }
    // From random weights, and with other rules, other rates are usual.
    if settings.recipe.model.config == nil, training.optimizer == .adamw {
      let usual = type(of: method).defaultLearningRate
      advice.append(
        RunAdvice.learningRate(
          settings.learningRate, usual: usual, method: type(of: method).name, parameterCount: model.catalog.parameterCount))
    }
    return advice.compactMap { $0 }
  }

  var isFull: Bool { method is FullFineTuning }

  /// The `config.json` of a recipe's model.
  static func configuration(of recipe: Recipe) throws -> JSON {
    try recipe.model.config?.json ?? Checkpoint.configuration(in: recipe.model.path ?? "")
  }

  /// Returns the model's tokenizer, with the tokens that the recipe adds; its files are read once.
  package func tokenizer() throws -> Tokenizer {
    if let known = read.tokenizer ?? newTokens?.extended.tokenizer { return known }
    guard let companion else { throw RunSettings.missingTokenizer }
    let tokenizer = try Tokenizer(directory: URL(fileURLWithPath: companion, isDirectory: true))
    read.tokenizer = tokenizer
    return tokenizer
  }

  /// Returns what tells the tokenizer from others: the SHA-256 of its files, and the tokens that the recipe adds.
  func tokenizerIdentity() throws -> String {
    guard let companion else { throw RunSettings.missingTokenizer }
    var hasher = SHA256()
    for name in ["tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "rwkv_vocab_v20230424.txt"] {
      let bytes = try InputFile.bytesIfPresent(of: "\(companion)/\(name)") ?? []
      bytes.withUnsafeBytes { hasher.update($0) }
    }
    for text in newTokens?.texts ?? [] { hasher.update(text + "\n") }
    return hasher.finalize()
  }

  func endIDs(_ tokenizer: Tokenizer) -> Set<Int32> {
    let configured = directory?.endOfSequenceIDs ?? []
    return configured.isEmpty ? Set([tokenizer.endOfSequenceID].compactMap { $0 }) : configured
  }

  /// Attaches the recipe's method: from a checkpoint of the run, from the adapter it continues, or afresh.
  func attach(_ recipe: Recipe, from checkpoint: (any WeightSource)?) throws -> Delta {
    var source = checkpoint
    if source == nil, let initial = recipe.initialAdapter {
      source = try AdapterFile.read(initial).adapter().weights(from: initial)
    }
    let tokenizer = try tokenizer()
    return try Delta(
      method, on: model.catalog, from: source, seed: UInt64(bitPattern: Int64(recipe.training.seed)),
      services: AttachmentServices(
        tokenize: { tokenizer.encode($0) }, run: { [model] in _ = model.hiddenStates($0, $1) },
        unquantized: { [directory] in try directory?.unquantized($0) }))
  }

  /// The delta as files keep it, with the tokens it adds.
  func stored(_ delta: Delta, taskType: String?, isFinished: Bool = true) throws -> StoredAdapter {
    var stored = try delta.stored(taskType: taskType, isFinished: isFinished)
    if let newTokens { stored.configuration[NewTokens.key] = .array(newTokens.texts.map(JSON.string)) }
    return stored
  }

  /// Returns what tells this base from others; every weight on the disk is read for it, once.
  package func fingerprint() throws -> BaseFingerprint {
    if let known = read.fingerprint { return known }
    let fingerprint = try directory.map { try BaseFingerprint(ofModel: $0.checkpoint) } ?? BaseFingerprint(ofModel: configuration)
    read.fingerprint = fingerprint
    return fingerprint
  }

  /// Returns the SHA-256 of the weights of a recipe's base, as `fingerprint` has it, without building one; nil where they are random.
  package static func weightsSHA256(of recipe: Recipe) throws -> String? {
    guard recipe.model.config == nil, let path = recipe.model.path else { return nil }
    return try BaseFingerprint(ofModel: Checkpoint(ofModel: path)).weightsSHA256
  }

  /// The results of reading files, once for a base and its copies.
  private final class Read {
    var tokenizer: Tokenizer?
    var fingerprint: BaseFingerprint?
  }

  /// Writes the trained weights as a MODEL, in place of those that the run had there.
  /// - Parameter labels: a classifier's labels.
  func writeModel(to path: String, task: LearningTask, labels: LabelScheme?) throws {
    if let directory {
      try AdapterOperations.write(
        model, base: directory, task: task, labels: labels, tokenizer: newTokens?.extended.json, dtype: nil, to: path, replacing: .any)
      return
    }
    let parameters = model.catalog.parameters
    let byName = Dictionary(parameters.map { ($0.path, $0) }) { first, _ in first }
    var configuration = configuration
    configuration["torch_dtype"] = .string(ElementFormat.float32.description)
    AdapterOperations.record(model, task: task, labels: labels, in: &configuration)
    try ModelDirectoryWriter(directory: path, replacing: .any).write(
      parameters.map { TensorDescription(name: $0.path, of: $0.value) }, configuration: configuration, copyingFilesFrom: companion,
      tokenizer: newTokens?.extended.json
    ) { description in
      guard let parameter = byName[description.name] else { throw SessionError(.data, "\(description.name): not a parameter of the model") }
      return parameter.value
    }
  }
}
