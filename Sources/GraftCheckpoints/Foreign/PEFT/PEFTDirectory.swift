import Foundation
import GraftJSON
import GraftTensors

/// An adapter as Hugging Face PEFT keeps it: `adapter_config.json` beside `adapter_model.safetensors` or, of old,
/// `adapter_model.bin`.
public enum PEFTDirectory {
  static let configurationName = "adapter_config.json"
  static let weightsName = "adapter_model.safetensors"
  /// The pickle that PEFT wrote before it wrote safetensors, and writes on request.
  static let picklesName = "adapter_model.bin"
  /// The names of a classifier's labels, for which PEFT's configuration has no keys.
  static let labelsName = "label_names.json"
  static let cardName = "README.md"
  /// Nor for the texts of tokens that an adapter adds.
  static let tokensName = "new_tokens.json"
  private static let tokensKey = "new_tokens"

  /// Keys of `adapter_config.json` that describe the file, not the method.
  public static let descriptiveKeys: Set<String> = [
    "auto_mapping", "base_model_name_or_path", "inference_mode", "parent_library", "peft_version", "revision",
    "runtime_config",
  ]

  /// Reads an adapter; its tensors are mapped.
  ///
  /// - Throws: `CheckpointError` of kind `missing`, `malformed`, or `unsupported` for pickles of anything but tensors.
  public static func read(_ directory: String) throws(CheckpointError) -> AdapterFile {
    let directory = directory.trimmingTrailingSlashes
    let configurationPath = "\(directory)/\(configurationName)"
    guard FileKind(of: configurationPath) == .file else {
      let nested = ((try? directoryEntries(directory)) ?? []).first {
        FileKind(of: "\(directory)/\($0)/\(configurationName)") == .file
      }
      throw CheckpointError(
        .missing, directory, "no \(configurationName) in it",
        remedy: nested.map { "name \(directory)/\($0)" } ?? "name a PEFT adapter's directory")
    }
    var configuration = try readJSON(configurationPath)
    let tokens = "\(directory)/\(tokensName)"
    if FileKind(of: tokens) == .file { configuration[tokensKey] = try readJSON(tokens)[tokensKey] }
    guard let peftType = configuration["peft_type"]?.string else {
      throw .malformed(configurationPath, "has no peft_type", remedy: "add one, such as \"LORA\"")
    }
    let stored = try stored(in: directory)
    try requireSavedNames(stored.map(\.name), peftType, directory)
    let tensors = stored.map { name, tensor in
      let key = normalized(name)
      return StoredTensor(name: key, role: role(of: key, peftType: peftType), tensor: tensor)
    }
    var adapter = StoredAdapter(
      method: peftType.lowercased(), peftType: peftType, taskType: configuration["task_type"]?.string,
      configuration: configuration, tensors: tensors)
    let labels = "\(directory)/\(labelsName)"
    if FileKind(of: labels) == .file { adapter.take(labels: try readJSON(labels)) }
    return AdapterFile(location: directory, adapters: [adapter])
  }

  /// Tells what was found where names are not those of a saved adapter: PEFT would pass such tensors over without a word.
  private static func requireSavedNames(_ names: [String], _ peftType: String, _ directory: String) throws(CheckpointError) {
    let remedy = "save it with save_pretrained of PEFT's model"
    let named = [".lora_A.", ".lora_B.", ".lora_magnitude_vector."].lazy.compactMap { part in
      names.first { name in
        name.range(of: part).map { !["weight", "bias"].contains(name[$0.upperBound...]) && name[$0.upperBound...].contains(".") } ?? false
      }
    }.first
    if let named {
      throw .malformed(directory, "'\(named)' has an adapter's name in it, as in the state of a model with adapters", remedy: remedy)
    }
    let isInjected = !["PROMPT_TUNING", "PREFIX_TUNING", "P_TUNING", "MULTITASK_PROMPT_TUNING", "CPT", "FULL"].contains(peftType)
    guard isInjected, !names.isEmpty, !names.contains(where: { $0.hasPrefix("base_model.") }), let first = names.first else { return }
    throw .malformed(directory, "'\(first)' lacks PEFT's prefix base_model.model.", remedy: remedy)
  }

  private static func stored(in directory: String) throws(CheckpointError) -> [(name: String, tensor: Tensor)] {
    guard FileKind(of: "\(directory)/\(weightsName)") == .file else {
      if FileKind(of: "\(directory)/\(picklesName)") == .file { return try TorchArchive.read("\(directory)/\(picklesName)") }
      throw CheckpointError(.missing, directory, "no \(weightsName) or \(picklesName) in it")
    }
    let weights = try SafetensorsFile("\(directory)/\(weightsName)")
    var tensors: [(name: String, tensor: Tensor)] = []
    for name in weights.tensorNames { tensors.append((name, try weights.tensor(name))) }
    return tensors
  }

  /// Writes an adapter as PEFT reads it. What PEFT's files have no place for (`reparam`, `training`) is left out.
  ///
  /// - Parameters:
  ///   - baseModelName: for `base_model_name_or_path`, where the configuration has none.
  ///   - baseRevision: for `revision`, with it.
  ///   - replacement: the existing directories that make way.
  /// - Throws: `CheckpointError` of kind `cannotCreate` or `inputOutput`.
  public static func write(
    _ adapter: StoredAdapter, baseModelName: String? = nil, baseRevision: String? = nil, to directory: String,
    replacing replacement: AtomicDirectory.Replacement = .none
  ) throws {
    var configuration = adapter.configuration
    configuration["peft_type"] = .string(adapter.peftType)
    configuration["task_type"] = adapter.taskType.map(JSON.string) ?? .null
    configuration["inference_mode"] = true
    configuration["runtime_config"] = nil
    if configuration["base_model_name_or_path"]?.string == nil {
      configuration["base_model_name_or_path"] = baseModelName.map(JSON.string) ?? .null
      if let baseRevision { configuration["revision"] = .string(baseRevision) }
    }
    let tokens = configuration[tokensKey]
    configuration[tokensKey] = nil
    let labels = adapter.labels
    let base = configuration["base_model_name_or_path"]?.string
    let output = try AtomicDirectory(at: directory, replacing: replacement)
    do {
      let tensors = (adapter.tensors + adapter.head).map { (name: $0.name, tensor: $0.tensor) }
      try SafetensorsWriter.write(tensors, to: "\(output.temporaryPath)/\(weightsName)")
      try AtomicFile.write(
        configuration.serializedBytes(pretty: true, sortedKeys: true),
        to: "\(output.temporaryPath)/\(configurationName)")
      if let labels { try AtomicFile.write(labels.serializedBytes(pretty: true), to: "\(output.temporaryPath)/\(labelsName)") }
      if let tokens {
        let json: JSON = .object([tokensKey: tokens])
        try AtomicFile.write(json.serializedBytes(pretty: true), to: "\(output.temporaryPath)/\(tokensName)")
      }
      try AtomicFile.write(AdapterCard.text(of: adapter, base: base, labels: labels).utf8, to: "\(output.temporaryPath)/\(cardName)")
      try output.commit()
    } catch let error as CheckpointError where error.location.hasPrefix(output.temporaryPath) {
      throw error.moved(from: output.temporaryPath, to: output.path)
    }
  }

  /// The directories that `--overwrite` lets an export replace: those that hold nothing but an adapter of PEFT's.
  public static let replaceable = AtomicDirectory.Replacement.holding {
    [configurationName, weightsName, picklesName, labelsName, tokensName, cardName].contains($0)
  }

  /// Older files end DoRA's vector with ".weight".
  private static func normalized(_ name: String) -> String {
    name.hasSuffix(".lora_magnitude_vector.weight") ? String(name.dropLast(".weight".count)) : name
  }

  private static func role(of name: String, peftType: String) -> String {
    name == "prompt_embeddings" && peftType == "PREFIX_TUNING" ? "prefix_kv" : StoredTensor.role(of: name)
  }
}
