import Foundation
import GraftAdapters
import GraftBatching
import GraftCheckpoints
import GraftConfiguration
import GraftDatasets
import GraftJSON
import GraftLayers
import GraftModels
import GraftTensors
import GraftTokenizers

/// A model directory with its tokenizer and, perhaps, an adapter on it.
public final class ModelSession {
  /// The model directory.
  public let path: String
  /// The task that the model is used for.
  public let task: LearningTask
  /// The model's files.
  public let directory: ModelDirectory
  /// The tokens that the adapters add.
  let newTokens: NewTokens?
  /// The adapters on the model.
  public let adapters: AdapterSet
  /// A classifier's labels, as the adapter that was trained with them or the checkpoint has them; nil for any other model.
  public let labelScheme: LabelScheme?
  /// The names of the columns of data files, and those of the roles of their messages.
  public var layout = RecordLayout(), roles: [String: String] = [:]
  /// Remarks on the data that was read.
  public let notes = DataNotes()
  private var loadedTokenizer: Tokenizer?
  private let adapterPaths: [String]

  /// The directory of an adapter with a tokenizer of its own, which is then used with its templates.
  var adapterTokenizer: String? { AdapterTokenizer.directory(adapters: adapterPaths) }

  /// - Parameters:
  ///   - path: a model directory, or a name of the hub whose files are in its cache.
  ///   - adapters: files or directories of adapters, which are put on together.
  ///   - combination: how several LoRA adapters become one first; nil adds up what they change.
  ///   - task: what the model is for; nil is what the adapters, or else the checkpoint, say.
  ///   - quantization: that of the matrices of linear layers which the checkpoint holds unquantized; nil for none.
  ///   - style: which tokens of a decoder see which; nil is what the adapters were trained with, or else the checkpoint.
  ///   - ignoresFingerprint: true where an adapter for another base is used all the same.
  ///   - isHeadless: true where hidden states are all that is wanted; an adapter keeps the heads that it may have trained.
  ///   - progress: told how many of the weights are loaded.
  /// - Throws: what reading the model, the adapters or their configurations throws.
  public init(
    model path: String, adapters: [WeightedAdapter], combination: AdapterCombination? = nil, task: LearningTask? = nil,
    frozenType: ElementFormat = .float32, quantization: WeightQuantization? = nil, style: AttentionStyle? = nil, ignoresFingerprint: Bool = false,
    isHeadless: Bool = false, progress: ProgressHandler = { _ in }
  ) throws {
    let name = path
    let path = try HubCache().directory(of: name)
    if path != name { notes.say(HubCache.note(on: name, in: path)) }
    self.path = path
    adapterPaths = adapters.map(\.path)
    let configuration = try Checkpoint.configuration(in: path)
    let files = try adapters.map { try AdapterFile.read($0.path) }
    var parts = try zip(files, adapters).map { (adapter: try $0.adapter(), weight: $1.weight, path: $1.path) }
    self.task = task ?? parts.lazy.compactMap { LearningTask(peftName: $0.adapter.taskType) }.first ?? LearningTask(of: configuration)
    let states = parts.compactMap { $0.adapter.training?.state }
    let trained = states.lazy.compactMap { LabelScheme(state: $0) }.first
    let trainedStyle = states.lazy.compactMap { $0[ArchitectureConfiguration.attentionStyleKey]?.string.flatMap(AttentionStyle.init) }.first
    let isClassifier = self.task == .sequenceClassification || self.task == .tokenClassification
    let outputCount = trained?.names.count ?? (isClassifier ? parts.lazy.compactMap { $0.adapter.labelCount }.first : nil)
    newTokens = try NewTokens(of: parts.map(\.adapter), directory: path)
    directory = try ModelDirectory(
      path, task: self.task, labels: outputCount, problem: trained?.problem, frozenType: frozenType, quantization: quantization,
      style: style ?? trainedStyle,
      isHeadless: isHeadless && adapters.isEmpty,
      // What the checkpoint lacks and the adapter does not hold was drawn from the run's seed.
      seed: UInt64(bitPattern: Int64(parts.first?.adapter.training?.seed ?? 0)),
      vocabularySize: newTokens?.vocabularySize ?? parts.lazy.compactMap { $0.adapter.vocabularySize }.max(),
      progress: { progress(RunProgress(.loading, $0, of: $1)) })
    labelScheme = LabelScheme(of: directory.model, names: trained?.names ?? CheckpointLabels(configuration: configuration).names)
    self.adapters = AdapterSet(on: directory.model.catalog)
    for (file, adapter) in zip(files, adapters) {
      if let base = file.base, !ignoresFingerprint { try base.verify(try fingerprint(for: base), for: adapter.path) }
    }
    if let combination, !parts.isEmpty {
      let combined = try combination.combine(parts.map { ($0.adapter, $0.weight) })
      parts = [(combined, 1, adapters.map(\.path).joined(separator: " + "))]
    }
    for (index, part) in parts.enumerated() {
      let method = try MethodCatalog.decode(stored: part.adapter.configuration, from: part.path)
      let delta = try self.adapters.add(
        "\(index)", method, from: part.adapter.weights(from: part.path),
        services: AttachmentServices(unquantized: { [directory] in try directory.unquantized($0) }))
      for note in delta.notes { notes.say("\(part.path): \(note)") }
    }
    try self.adapters.activate(parts.enumerated().map { ("\($0.offset)", $0.element.weight) })
  }

  /// The model with one adapter or none.
  public convenience init(
    model path: String, adapter: String? = nil, task: LearningTask? = nil, frozenType: ElementFormat = .float32,
    quantization: WeightQuantization? = nil, style: AttentionStyle? = nil, ignoresFingerprint: Bool = false, isHeadless: Bool = false,
    progress: ProgressHandler = { _ in }
  ) throws {
    try self.init(
      model: path, adapters: adapter.map { [WeightedAdapter($0)] } ?? [], task: task, frozenType: frozenType, quantization: quantization,
      style: style, ignoresFingerprint: ignoresFingerprint, isHeadless: isHeadless, progress: progress)
  }

  /// The model with its adapters.
  public var model: any Model { directory.model }

  /// The model as a predictor of next tokens.
  public func languageModel() throws -> any CausalLanguageModel {
    guard let model = directory.model as? any CausalLanguageModel else {
      throw SessionError(.usage, "\(path): \(directory.model.modelType) does not support causal_lm; choose a task it is made for")
    }
    return model
  }

  /// Returns the model's tokenizer, or that of an adapter which has one of its own.
  ///
  /// - Throws: `TokenizerError` where its files are missing or damaged.
  public func tokenizer() throws -> Tokenizer {
    if let loadedTokenizer { return loadedTokenizer }
    let tokenizer = try newTokens?.extended.tokenizer ?? AdapterTokenizer.tokenizer(ofModel: path, adapters: adapterPaths, notes: notes)
    loadedTokenizer = tokenizer
    return tokenizer
  }

  /// An encoder of data for this model; nothing is cut.
  func encoder() throws -> ExampleEncoder {
    try DataPreparation.encoder(try tokenizer(), for: model, task: task, labels: labelScheme, roles: roles, notes: notes)
  }

  /// The records of a data file under our names for their columns.
  func records(of path: String) throws -> [DataRecord] { try DataPreparation.records(of: [path], layout: layout, notes: notes) }

  /// Hashing every weight takes time: only what the adapter recorded is computed.
  func fingerprint(for recorded: BaseFingerprint) throws -> BaseFingerprint {
    recorded.weightsSHA256 == nil && recorded.tokenizerSHA256 == nil
      ? BaseFingerprint(ofModel: try directory.checkpoint.configuration()) : try BaseFingerprint(ofModel: directory.checkpoint)
  }

  /// - Throws: `SessionError` that names the first parameter which is not finite, where a result is not.
  public func requireFinite(_ values: some Sequence<Float>) throws {
    guard values.contains(where: { !$0.isFinite }) else { return }
    throw Self.nonFiniteError(path, model.catalog, adapters.deltas)
  }

  static func nonFiniteError(_ path: String, _ catalog: SiteCatalog, _ deltas: [Delta]) -> SessionError {
    if let parameter = catalog.firstNonFiniteParameter() {
      return SessionError(.nonFinite, "\(path): \(parameter.path) holds values that are not finite; the checkpoint is damaged, fetch it again")
    }
    if let entry = deltas.flatMap(\.parameters).first(where: { $0.parameter.value.firstNonFiniteIndex != nil }) {
      return SessionError(.nonFinite, "\(entry.key): the adapter holds values that are not finite; train it with a lower learning rate")
    }
    return SessionError(.nonFinite, "\(path): the model's results are not finite, though its weights are; keep the weights in float32")
  }
}
