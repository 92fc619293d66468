import GraftAdapters
import GraftBatching
import GraftCheckpoints
import GraftDatasets
import GraftJSON
import GraftLayers
import GraftModels
import GraftTensors

/// The operations on adapters besides training and running them: exporting, combining and merging.
public enum AdapterOperations {
  /// Writes an adapter in PEFT's format.
  /// - Parameter overwrites: true where an earlier export makes way.
  public static func exportPEFT(_ adapter: String, to output: String, overwrites: Bool = false) throws {
    let replacement = try OutputPlace.directory(output, apartFrom: [adapter], overwrites: overwrites, replaceable: PEFTDirectory.replaceable)
    let file = try AdapterFile.read(adapter)
    let stored = try file.adapter()
    try requirePEFT(toOpen: stored, of: file.base, from: adapter)
    try PEFTDirectory.write(
      stored, baseModelName: file.base?.name, baseRevision: file.base?.revision, to: output, replacing: replacement)
  }

  /// - Throws: `SessionError` for adapters of GPT-2's transposed layers that PEFT puts nowhere but into ordinary ones.
  private static func requirePEFT(toOpen adapter: StoredAdapter, of base: BaseFingerprint?, from path: String) throws {
    let transposed = [".c_attn.", ".c_proj.", ".c_fc.", ".q_attn."]
    guard ["LOHA", "LOKR", "OFT"].contains(adapter.peftType),
      base?.modelType.map({ ModelFamily.registry[$0]?.traits.contains(.storesInputByOutput) ?? false }) ?? true,
      let name = adapter.tensors.lazy.map(\.name).first(where: { name in transposed.contains(where: name.contains) })
    else { return }
    throw SessionError(
      .data, "\(path): \(name): PEFT has no \(adapter.peftType) for the Conv1D layers of GPT-2; merge the adapter, or export it as hdf5")
  }

  /// Writes an adapter of one of AdapterHub's methods as its library reads it.
  /// - Parameter overwrites: true where an earlier export makes way.
  /// - Throws: `SessionError` for another method.
  public static func exportAdapterHub(_ adapter: String, to output: String, overwrites: Bool = false) throws {
    let replacement = try OutputPlace.directory(output, apartFrom: [adapter], overwrites: overwrites, replaceable: AdapterHubDirectory.replaceable)
    let file = try AdapterFile.read(adapter)
    let stored = try file.adapter()
    guard let method = try MethodCatalog.decode(stored: stored.configuration, from: adapter) as? any AdapterHubMethod else {
      throw SessionError(
        .data,
        "\(adapter): \(stored.peftType) has no place in an AdapterHub directory, which is for ADAPTER, REFT, HUB_PREFIX, HUB_LORA and UNION;"
          + " use --format peft")
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
  /// - Parameter overwrites: true where an earlier export makes way.
  /// - Throws: `SessionError` for adapters of different bases or tasks, and what reading, combining and writing throw.
  public static func combine(
    _ adapters: [WeightedAdapter], by combination: AdapterCombination, to output: String, overwrites: Bool = false
  ) throws {
    let inputs = adapters.map(\.path)
    let isFile = output.hasSuffix(".h5")
    if isFile { try OutputPlace.file(output, apartFrom: inputs) }
    let replacement =
      isFile
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
      try PEFTDirectory.write(combined, baseModelName: bases.first?.name, baseRevision: bases.first?.revision, to: output, replacing: replacement)
    }
  }

  /// The form of a merged model.
  public enum MergedFormat: Sendable {
    /// A Hugging Face checkpoint directory.
    case directory
    /// A file for llama.cpp.
    case gguf
  }

  /// The findings of a merge.
  public struct MergeReport {
    /// The largest difference of a log-probability between the adapted model and what was written, rounded as that is.
    public let difference: Float
    /// Remarks for users of the result.
    public let notes: [String]
  }

  /// Writes the base with adapters folded in one after another, as a checkpoint that needs none.
  ///
  /// The products are computed in float32, then a probe runs through the adapted model, the merged one, and what was written of it.
  /// - Parameters:
  ///   - combination: how several LoRA adapters become one first; nil adds up exactly what they change.
  ///   - dtype: the type of the written tensors. Only float32 keeps what the products computed; nil keeps each tensor as
  ///     the base stores it.
  ///   - dequantizes: true where the quantized matrices of a base are written as the numbers that they stand for.
  ///   - overwrites: true where an earlier result makes way.
  /// - Throws: `SessionError` where that difference is beyond rounding, the format has no place for the model, or the base is quantized.
  @discardableResult
  public static func merge(
    model: String, adapters: [WeightedAdapter], combination: AdapterCombination? = nil, to output: String,
    format: MergedFormat = .directory, dtype: ElementFormat? = .float32, ignoresFingerprint: Bool = false, dequantizes: Bool = false,
    overwrites: Bool = false
  ) throws -> MergeReport {
    let inputs = [model] + adapters.map(\.path)
    if format == .gguf { try OutputPlace.file(output, apartFrom: inputs) }
    let replacement =
      format == .gguf
      ? .none
      : try OutputPlace.directory(
        output, apartFrom: inputs, overwrites: overwrites, replaceable: try ModelDirectoryWriter.replaceable(copyingFilesFrom: model))
    let session = try ModelSession(model: model, adapters: adapters, combination: combination, ignoresFingerprint: ignoresFingerprint)
    if let damaged = session.model.catalog.firstNonFiniteParameter() {
      throw SessionError(.nonFinite, "\(model): \(damaged.path) holds values that are not finite; the checkpoint is damaged, fetch it again")
    }
    let check = try MergeCheck(session, name: adapters.isEmpty ? model : adapters.map(\.path).joined(separator: " + "))
    try dequantize(session.model.catalog, isAsked: dequantizes, model)
    try session.adapters.merge()
    _ = try check.difference(of: session, limit: MergeCheck.rounding)
    try MergeCheck.requireRange(of: dtype, in: session.model.catalog)
    switch format {
    case .directory:
      var difference: Float = 0
      try write(
        session.model, base: session.directory, task: session.task, labels: session.labelScheme, tokenizer: session.newTokens?.extended.json,
        tokenizerDirectory: session.adapterTokenizer, dtype: dtype, to: output, replacing: replacement
      ) { written in
        difference = try check.difference(
          of: try ModelSession(model: written, task: session.task), limit: dtype == .float32 ? MergeCheck.rounding : .infinity)
      }
      return MergeReport(difference: difference, notes: session.notes.all)
    case .gguf:
      let notes = try writeGGUF(session, dtype: dtype ?? .float32, to: output)
      for parameter in session.model.catalog.parameters where parameter.shape.rank > 1 {
        parameter.assign(parameter.dense().converted(to: dtype ?? .float32).converted(to: .float32))
      }
      return MergeReport(difference: try check.difference(of: session, limit: .infinity), notes: session.notes.all + notes)
    }
  }

  /// Replaces quantized matrices by the numbers that they stand for.
  /// - Throws: `SessionError` where there are some and nobody asked for it.
  private static func dequantize(_ catalog: SiteCatalog, isAsked: Bool, _ model: String) throws(SessionError) {
    for parameter in catalog.parameters {
      guard case .blocks(let blocks) = parameter.stored else { continue }
      guard isAsked else {
        throw SessionError(
          .usage,
          "\(model): \(parameter.path) is quantized as \(blocks.format), which a sum would be rounded to anew; keep the adapter apart, write the "
            + "model unquantized with --dequantize, or quantized again with --requantize, which says how much that changes")
      }
      parameter.assign(parameter.dense())
    }
  }

  /// Writes a model's present weights under the names of a base checkpoint, heads that it lacks under their own.
  /// - Parameters:
  ///   - labels: a classifier's labels; those its outputs have without names where nil.
  ///   - tokenizer: the content of `tokenizer.json`, where it is not the base's.
  ///   - tokenizerDirectory: where the tokenizer's files and templates are, where they are not the base's.
  ///   - replacement: which existing directory makes way.
  ///   - verify: looks at what was written before it appears.
  static func write(
    _ model: any Model, base: ModelDirectory, task: LearningTask, labels: LabelScheme?, tokenizer: JSON? = nil,
    tokenizerDirectory: String? = nil, dtype: ElementFormat?, to output: String, replacing replacement: AtomicDirectory.Replacement,
    verify: ((_ written: String) throws -> Void)? = nil
  ) throws {
    let catalog = model.catalog
    let checkpoint = base.checkpoint
    func storedName(of path: String) -> String? { ([path] + (model.family?.tensors.aliases(of: path) ?? [])).first(where: checkpoint.contains) }
    let owners = Dictionary(
      catalog.parameters.map { (storedName(of: $0.path) ?? $0.path, $0) }
        + catalog.sharedParameters.compactMap { path, parameter in storedName(of: path).map { ($0, parameter) } }
    ) { first, _ in first }
    let stored = Set(checkpoint.descriptions.map(\.name))
    let isGrown = base.weights !== checkpoint
    let added = owners.filter { !stored.contains($0.key) }.map { TensorDescription(name: $0.key, of: $0.value.value) }
    // Beside a new head the rest goes by its full names, too: a checkpoint of a bare encoder leaves out their prefix.
    let paths = Dictionary(catalog.parameters.map { (storedName(of: $0.path) ?? $0.path, $0.path) }) { first, _ in first }
    func name(_ stored: String) -> String { added.isEmpty ? stored : paths[stored] ?? stored }
    let storedNames = Dictionary(stored.map { (name($0), $0) }) { first, _ in first }
    let descriptions = try checkpoint.descriptions.map { description in
      TensorDescription(
        name: name(description.name), elementType: dtype.map(ElementType.init) ?? description.elementType,
        shape: try owners[description.name]?.shape.dimensions
          ?? (isGrown ? base.weights.tensor(description.name).shape.dimensions : description.shape))
    }
    var configuration = base.configuration
    if checkpoint.isQuantized { configuration["quantization_config"] = nil }
    if let dtype {
      configuration[configuration["dtype"] == nil ? "torch_dtype" : "dtype"] = .string(dtype.description)
    }
    record(model, task: task, labels: labels, in: &configuration)
    try ModelDirectoryWriter(directory: output, replacing: replacement).write(
      descriptions + added, configuration: configuration, copyingFilesFrom: checkpoint.directory, tokenizer: tokenizer,
      tokenizerDirectory: tokenizerDirectory,
      verify: verify
    ) { description in
      let name = storedNames[description.name] ?? description.name
      let value = try owners[name]?.value ?? base.weights.tensor(name)
      return description.elementType.dtype.map(value.converted) ?? value
    }
  }

  /// Notes in a configuration what it does not say yet: the model's class, the names of its labels, and which tokens see which.
  static func record(_ model: any Model, task: LearningTask, labels: LabelScheme?, in configuration: inout JSON) {
    let hasClass = configuration["architectures"]?[0]?.string != nil && LearningTask(of: configuration) == task
    let name = model.family?.architecture(for: task, pairsSentences: model is any SentencePairModel)
    if !hasClass, let name { configuration["architectures"] = .array([.string(name)]) }
    // A head that got a matrix of its own is read as one.
    let isUntied = model.catalog.sites.contains { $0.role == .languageModelHead && $0.linear?.ownsWeight == true }
    if isUntied, configuration["tie_word_embeddings"]?.bool ?? true, model.family?.traits.contains(.tiesByValue) != true {
      configuration["tie_word_embeddings"] = false
    }
    if task == .sequenceClassification || task == .tokenClassification {
      (labels ?? LabelScheme(of: model))?.record(in: &configuration, hasProblem: task == .sequenceClassification)
    }
    let key = ArchitectureConfiguration.attentionStyleKey
    guard let style = model.attentionStyle, style.rawValue != configuration[key]?.string ?? AttentionStyle.causal.rawValue else { return }
    configuration[key] = .string(style.rawValue)
  }
}
