import GraftJSON
import GraftTensors

/// An adapter as AdapterHub's `adapters` library keeps it: `adapter_config.json` beside `adapter.safetensors`
/// or `pytorch_adapter.bin`, and perhaps a prediction head.
///
/// The adapter's name stands inside its tensors' names there; here it does not.
public enum AdapterHubDirectory {
  static let configurationName = PEFTDirectory.configurationName
  private static let weightsName = "adapter.safetensors", picklesName = "pytorch_adapter.bin"
  private static let headConfigurationName = "head_config.json"
  private static let headWeightsName = "model_head.safetensors", headPicklesName = "pytorch_model_head.bin"
  private static let version = "adapters.1.2.0"
  /// The `peft_type` of bottleneck adapters here.
  public static let peftType = "ADAPTER"

  /// The former names of groups of tensors.
  private static let oldGroups = [
    "attention_text_task_adapters", "attention_text_lang_adapters", "layer_text_task_adapters", "layer_text_lang_adapters",
  ]

  /// The groups of tensors that keep their names here, without the adapter's behind it.
  private static let groups = ["loras", "refts", "prefix_gates", "prefix_tunings", "invertible_adapters", "shared_parameters"]

  /// Returns true for a configuration that is AdapterHub's rather than PEFT's.
  static func owns(_ configuration: JSON) -> Bool { configuration["peft_type"] == nil && configuration["config"] != nil }

  // MARK: Reading

  /// Reads an adapter; its tensors are mapped.
  ///
  /// - Throws: `CheckpointError` of kind `missing`, `malformed`, or `unsupported` for what has no counterpart here.
  public static func read(_ directory: String) throws(CheckpointError) -> AdapterFile {
    let directory = directory.trimmingTrailingSlashes
    let location = "\(directory)/\(configurationName)"
    let json = try readJSON(location)
    guard let name = json["name"]?.string, !name.isEmpty else {
      throw .malformed(location, "has no name", remedy: "add the adapter's name, which its tensors' names contain")
    }
    var configuration = try AdapterHubConfiguration.method(json["config"], isOld: json["version"]?.string == nil, location: location)
    let peftType = configuration["peft_type"]?.string ?? peftType
    // Prefixes stand once more under the name of every layer.
    var tensors = (try stored(weightsName, picklesName, in: directory) ?? []).filter { !$0.name.contains(".prefix_tuning.pool.") }
    guard !tensors.isEmpty else { throw CheckpointError(.missing, directory, "no \(weightsName) or \(picklesName) in it") }
    var keys: Set<String> = []
    for index in tensors.indices {
      guard let key = key(of: tensors[index].name, adapter: name) else {
        throw .malformed(
          directory, "'\(tensors[index].name)' is no tensor of the adapter '\(name)'", remedy: "correct the name in \(configurationName)")
      }
      guard keys.insert(key).inserted else { throw .malformed(directory, "holds two tensors for '\(key)'") }
      tensors[index] = StoredTensor(name: key, tensor: tensors[index].tensor)
    }
    let head = try stored(headWeightsName, headPicklesName, in: directory) ?? []
    if !head.isEmpty { configuration["modules_to_save"] = .array(modules(of: head).map(JSON.string)) }
    let isClassifier = head.contains { $0.name.hasPrefix("classifier.") || $0.name.hasPrefix("score.") }
    let adapter = StoredAdapter(
      method: peftType.lowercased(), peftType: peftType, taskType: isClassifier ? "SEQ_CLS" : nil, configuration: configuration,
      tensors: tensors + head)
    var base: BaseFingerprint?
    if json["model_type"] != nil || json["hidden_size"] != nil {
      var known = BaseFingerprint()
      (known.name, known.modelType) = (json["model_name"]?.string, json["model_type"]?.string)
      known.hiddenSize = json["hidden_size"]?.int
      base = known
    }
    return AdapterFile(location: directory, base: base, adapters: [adapter])
  }

  private static func stored(_ name: String, _ pickles: String, in directory: String) throws(CheckpointError) -> [StoredTensor]? {
    if FileKind(of: "\(directory)/\(name)") == .file {
      let file = try SafetensorsFile("\(directory)/\(name)")
      var tensors: [StoredTensor] = []
      for name in file.tensorNames { tensors.append(StoredTensor(name: name, tensor: try file.tensor(name))) }
      return tensors
    }
    guard FileKind(of: "\(directory)/\(pickles)") == .file else { return nil }
    return try TorchArchive.read("\(directory)/\(pickles)").map { StoredTensor(name: $0.name, tensor: $0.tensor) }
  }

  /// The name without the adapter's; nil where it belongs to none of that name.
  private static func key(of name: String, adapter: String) -> String? {
    for group in ["adapters"] + oldGroups {
      if let range = name.range(of: ".\(group).\(adapter).") { return name.replacingCharacters(in: range, with: ".") }
    }
    for group in groups {
      if let range = range(of: "\(group).\(adapter).", in: name) { return name.replacingCharacters(in: range, with: "\(group).") }
    }
    return nil
  }

  /// The place of some components of a name, at its start or behind others.
  private static func range(of part: String, in name: String) -> Range<String.Index>? {
    if name.hasPrefix(part) { return name.startIndex..<name.index(name.startIndex, offsetBy: part.count) }
    return name.range(of: "." + part).map { name.index(after: $0.lowerBound)..<$0.upperBound }
  }

  /// The modules that tensors belong to, by their first names.
  private static func modules(of tensors: [StoredTensor]) -> [String] {
    var modules: [String] = []
    for tensor in tensors {
      let module = tensor.name.split(separator: ".").first.map(String.init) ?? tensor.name
      if !modules.contains(module) { modules.append(module) }
    }
    return modules
  }

  // MARK: Writing

  /// Writes an adapter as `load_adapter` reads it, in both forms of weights.
  ///
  /// - Parameters:
  ///   - method: the method's own keys, all of them.
  ///   - base: the base that the adapter belongs to.
  ///   - name: the adapter's name.
  ///   - replacement: the existing directories that make way.
  /// - Throws: `CheckpointError` of kind `cannotCreate` or `inputOutput`, or `unsupported` for tensors without a place.
  public static func write(
    _ adapter: StoredAdapter, method: JSON, base: BaseFingerprint?, name: String = "default", to directory: String,
    replacing replacement: AtomicDirectory.Replacement = .none
  ) throws {
    var own: [(name: String, tensor: Tensor)] = []
    var head: [(name: String, tensor: Tensor)] = []
    for stored in adapter.tensors + adapter.head {
      if let full = fullName(of: stored.name, adapter: name) {
        own += withBase(full, stored.tensor, of: adapter)
      } else if isOfHead(stored.name) {
        head.append((stored.name, stored.tensor))
      } else {
        throw CheckpointError(
          .unsupported, directory, "'\(stored.name)' has no place in an AdapterHub directory", remedy: "leave it out of modules_to_save")
      }
    }
    func text(_ value: String?) -> JSON { value.map(JSON.string) ?? .null }
    let common: JSON = [
      "hidden_size": base?.hiddenSize.map(JSON.integer) ?? .null,
      "model_class": text(base?.architecture.map { modelClass($0, hasClassifier: !head.isEmpty && adapter.taskType == "SEQ_CLS") }),
      "model_name": text(base?.name), "model_type": text(base?.modelType), "name": .string(name), "version": .string(version),
    ]
    let output = try AtomicDirectory(at: directory, replacing: replacement)
    do {
      var configuration = common
      configuration["config"] = AdapterHubConfiguration.complete(method)
      try write(own, configuration, weightsName, picklesName, configurationName, to: output.temporaryPath)
      if !head.isEmpty {
        var configuration = common
        configuration["config"] = .null
        configuration["name"] = .null
        configuration["num_labels"] = .integer(head[0].tensor.shape.rank > 0 ? head[0].tensor.shape[0] : 1)
        try write(head, configuration, headWeightsName, headPicklesName, headConfigurationName, to: output.temporaryPath)
      }
      try output.commit()
    } catch let error as CheckpointError where error.location.hasPrefix(output.temporaryPath) {
      throw error.moved(from: output.temporaryPath, to: output.path)
    }
  }

  /// The directories that `--overwrite` lets an export replace: those that hold nothing but an adapter of AdapterHub's.
  public static let replaceable = AtomicDirectory.Replacement.holding {
    [configurationName, weightsName, picklesName, headConfigurationName, headWeightsName, headPicklesName].contains($0)
  }

  private static func write(
    _ tensors: [(name: String, tensor: Tensor)], _ configuration: JSON, _ weights: String, _ pickles: String, _ configurationName: String,
    to folder: String
  ) throws {
    try SafetensorsWriter.write(tensors, metadata: [:], to: "\(folder)/\(weights)")
    let root = String(pickles.dropLast(".bin".count))
    try TorchArchive.write(tensors, root: root, to: "\(folder)/\(pickles)")
    try AtomicFile.write(configuration.serializedBytes(pretty: true, sortedKeys: true), to: "\(folder)/\(configurationName)")
  }

  /// The class of Transformers that an adapter was trained in: a head is loaded into no other.
  private static func modelClass(_ architecture: String, hasClassifier: Bool) -> String {
    guard hasClassifier, let end = ["For", "LMHead", "Model"].compactMap({ architecture.range(of: $0)?.lowerBound }).min() else {
      return architecture
    }
    return architecture[..<end] + "ForSequenceClassification"
  }

  private static func fullName(of key: String, adapter: String) -> String? {
    for group in groups {
      if let range = range(of: group + ".", in: key) { return key.replacingCharacters(in: range, with: "\(group).\(adapter).") }
    }
    for part in [".adapter_down.", ".adapter_up."] {
      if let range = key.range(of: part) { return key.replacingCharacters(in: range, with: ".adapters.\(adapter)\(part)") }
    }
    for end in ["scaling", "gate.weight", "gate.bias"] where key.hasSuffix("." + end) {
      return key.dropLast(end.count) + "adapters.\(adapter).\(end)"
    }
    return nil
  }

  /// A tensor, and beside the values of orthonormal rows the matrix that the library turns them by, which is none here.
  private static func withBase(_ name: String, _ tensor: Tensor, of adapter: StoredAdapter) -> [(name: String, tensor: Tensor)] {
    let end = ".parametrizations.weight.original"
    guard name.hasSuffix(end), tensor.shape.rank == 2, !adapter.tensors.contains(where: { $0.name.hasSuffix(".parametrizations.weight.0.base") })
    else { return [(name, tensor)] }
    let columns = tensor.shape[1]
    var signs = tensor.values
    // The library rounds the signs towards zero, and decay of weights may have made them smaller.
    for row in 0..<tensor.shape[0] { signs[row * (columns + 1)] = signs[row * (columns + 1)] < 0 ? -1 : 1 }
    let unit = Tensor((0..<columns * columns).map { $0 % (columns + 1) == 0 ? 1 : 0 }, [columns, columns])
    return [(name, Tensor(signs, tensor.shape)), (name.dropLast("original".count) + "0.base", unit)]
  }

  /// Heads stand outside the base model, whose parts begin with one of these names.
  private static func isOfHead(_ key: String) -> Bool {
    let parts = ["bert", "roberta", "distilbert", "transformer", "model", "encoder", "decoder", "shared", "embeddings"]
    return !parts.contains(key.split(separator: ".").first.map(String.init) ?? key)
  }
}
