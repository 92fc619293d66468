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

/// A request that this version cannot serve.
public struct SessionError: Error, CustomStringConvertible {
  public enum Kind: Sendable {
    /// The request itself is wrong (64).
    case usage
    /// What a file holds cannot be used so (65).
    case data
    /// The model computes values that are not finite (65).
    case nonFinite
  }

  public let kind: Kind
  public let description: String

  public init(_ kind: Kind, _ description: String) {
    self.kind = kind
    self.description = description
  }
}

/// A model directory with its tokenizer and, perhaps, an adapter on it.
public final class ModelSession {
  /// The model directory.
  public let path: String
  public let task: LearningTask
  public let directory: ModelDirectory
  public private(set) var delta: Delta?
  /// The names of a classifier's labels, in the order of its outputs.
  public let labels: [String]
  private var loadedTokenizer: Tokenizer?

  /// - Parameters:
  ///   - adapter: an HDF5 file, a run directory or a PEFT directory.
  ///   - task: what the model is for; nil is what the adapter, or else the checkpoint, says.
  ///   - style: which tokens of a decoder see which; nil is what the adapter was trained with, or else the checkpoint.
  ///   - ignoresFingerprint: whether an adapter for another base is used all the same.
  ///   - isHeadless: whether hidden states are all that is wanted; an adapter keeps the heads that it may have trained.
  /// - Throws: what reading the model, the adapter or its configuration throws.
  public init(
    model path: String, adapter: String? = nil, task: LearningTask? = nil, frozenType: DType = .float32, style: AttentionStyle? = nil,
    ignoresFingerprint: Bool = false, isHeadless: Bool = false
  ) throws {
    self.path = path
    let configuration = try Checkpoint.configuration(in: path)
    let file = try adapter.map { try AdapterFile.read($0) }
    let stored = try file?.adapter()
    self.task = task ?? LearningTask(peftName: stored?.taskType) ?? LearningTask(of: configuration)
    let trained = stored?.training?.state?["labels"]?.array?.compactMap(\.string) ?? []
    let trainedStyle = stored?.training?.state?[ArchitectureConfiguration.attentionStyleKey]?.string.flatMap(AttentionStyle.init)
    labels = trained.isEmpty ? DataPreparation.configuredLabels(configuration) : trained
    directory = try ModelDirectory(
      path, task: self.task, labels: trained.isEmpty ? nil : trained.count, frozenType: frozenType,
      style: style ?? trainedStyle, isHeadless: isHeadless && adapter == nil,
      // What the checkpoint lacks and the adapter does not hold was drawn from the run's seed.
      seed: UInt64(bitPattern: Int64(stored?.training?.seed ?? 0)))
    guard let file, let stored, let adapter else { return }
    if let base = file.base, !ignoresFingerprint { try base.verify(try fingerprint(for: base), for: adapter) }
    let method = try MethodCatalog.decode(stored: stored.configuration, from: adapter)
    delta = try Delta(method, on: model.catalog, from: stored.weights(from: adapter))
  }

  public var model: any Model { directory.model }

  /// The model as a predictor of next tokens.
  public func languageModel() throws -> any CausalLanguageModel {
    guard let model = directory.model as? any CausalLanguageModel else {
      throw SessionError(.usage, "\(path): \(directory.model.modelType) does not support causal_lm; choose a task it is made for")
    }
    return model
  }

  public func tokenizer() throws -> Tokenizer {
    if let loadedTokenizer { return loadedTokenizer }
    let tokenizer = try Tokenizer(directory: URL(fileURLWithPath: path, isDirectory: true))
    loadedTokenizer = tokenizer
    return tokenizer
  }

  /// An encoder of data for this model; nothing is cut.
  func encoder(for records: [DataRecord]) throws -> ExampleEncoder {
    let isClassifier = task == .sequenceClassification || task == .tokenClassification
    return try DataPreparation.encoder(
      try tokenizer(), for: model, task: task, labels: isClassifier && !labels.isEmpty ? LabelScheme(names: labels) : nil)
  }

  /// Hashing every weight takes time: only what the adapter recorded is computed.
  private func fingerprint(for recorded: BaseFingerprint) throws -> BaseFingerprint {
    recorded.weightsSHA256 == nil && recorded.tokenizerSHA256 == nil
      ? BaseFingerprint(configuration: directory.configuration) : try BaseFingerprint(of: directory.checkpoint)
  }

  /// - Throws: `SessionError` that names the first parameter which is not finite, where a result is not.
  public func requireFinite(_ values: some Sequence<Float>) throws {
    guard values.contains(where: { !$0.isFinite }) else { return }
    throw Self.nonFiniteError(path, model.catalog, delta)
  }

  static func nonFiniteError(_ path: String, _ catalog: SiteCatalog, _ delta: Delta?) -> SessionError {
    if let parameter = catalog.firstNonFiniteParameter() {
      return SessionError(.nonFinite, "\(path): \(parameter.path) holds values that are not finite; the checkpoint is damaged, fetch it again")
    }
    if let entry = delta?.parameters.first(where: { $0.parameter.value.firstNonFiniteIndex != nil }) {
      return SessionError(.nonFinite, "\(entry.key): the adapter holds values that are not finite; train it with a lower learning rate")
    }
    return SessionError(.nonFinite, "\(path): the model's results are not finite, though its weights are; keep the weights in float32")
  }
}
