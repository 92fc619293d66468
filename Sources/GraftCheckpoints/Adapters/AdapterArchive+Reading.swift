import GraftFiles
import GraftJSON
import GraftTensors

extension AdapterArchive {
  /// Reads every adapter of an HDF5 file and verifies every hash.
  ///
  /// Tensors are opened by the names in the manifest; the file is trusted in nothing.
  ///
  /// - Throws: `CheckpointError` of kind `missing`, `malformed`, or `unsupported` for a newer version of the format.
  public static func read(_ path: String) throws(CheckpointError) -> AdapterFile {
    do { return try readAll(path) } catch {
      guard error.kind == .malformed else { throw error }
      // The library does not tell what the disk would not give from what makes no sense.
      do { _ = try InputFile.bytes(of: path) } catch { throw CheckpointError(error) }
      throw error
    }
  }

  private static func readAll(_ path: String) throws(CheckpointError) -> AdapterFile {
    let root = try HDF5File.open(path).root()
    guard try root.stringAttribute("format") == format else {
      throw .malformed(
        path, "is an HDF5 file, but no adapter written by graft",
        remedy: "adapters have the root attribute format=\(format)")
    }
    let version = try root.integerAttribute("format_version")
    guard version == formatVersion else {
      throw CheckpointError(
        .unsupported, path,
        "has format version \(version.map(String.init) ?? "none"), this program reads \(formatVersion)",
        remedy: "update graft")
    }
    guard let group = try root.group("adapters") else { throw .malformed(path, "has no group /adapters") }
    var adapters: [StoredAdapter] = []
    for name in try group.memberNames() {
      guard let member = try group.group(name) else { continue }
      adapters.append(try readAdapter(name, member))
    }
    let base = try root.group("base").map { (group) throws(CheckpointError) in try readBase(group) }
    return AdapterFile(location: path, base: base, adapters: adapters)
  }

  private static func readBase(_ group: HDF5Group) throws(CheckpointError) -> BaseFingerprint {
    var base = BaseFingerprint()
    base.name = try group.stringAttribute("name")
    base.revision = try group.stringAttribute("revision")
    base.modelType = try group.stringAttribute("model_type")
    base.architecture = try group.stringAttribute("architecture")
    base.hiddenSize = try group.integerAttribute("hidden_size")
    base.layerCount = try group.integerAttribute("num_layers")
    base.vocabularySize = try group.integerAttribute("vocab_size")
    base.weightsSHA256 = try group.stringAttribute("weights_sha256")
    base.tokenizerSHA256 = try group.stringAttribute("tokenizer_sha256")
    return base
  }

  private static func readAdapter(_ name: String, _ group: HDF5Group) throws(CheckpointError) -> StoredAdapter {
    guard let peftType = try group.stringAttribute("peft_type") else {
      throw .malformed(group.location(), "has no peft_type")
    }
    guard let configuration = try readJSON("config", in: group), configuration.object != nil else {
      throw .malformed(group.location(of: "config"), "is no JSON object")
    }
    var adapter = StoredAdapter(
      name: name, method: try group.stringAttribute("method") ?? peftType.lowercased(), peftType: peftType,
      taskType: try group.stringAttribute("task_type"), configuration: configuration, tensors: try readNested(group))
    guard try group.integerAttribute("num_tensors") == adapter.tensors.count,
      try group.integerAttribute("num_parameters") == adapter.parameterCount
    else { throw .malformed(group.location(), "its counts of tensors and parameters do not fit its manifest") }
    let contentSHA256 = adapter.contentSHA256
    guard try group.stringAttribute("content_sha256") == contentSHA256 else {
      throw .malformed(
        group.location(), "its content_sha256 is not that of its tensors (\(contentSHA256.prefix(12))...)",
        remedy: "restore the file from a copy")
    }
    if let reparam = try group.group("reparam") { adapter.reparam = try readFlat(reparam) }
    if let head = try group.group("head") { adapter.head = try readFlat(head) }
    if let training = try group.group("training") { adapter.training = try readTraining(training) }
    return adapter
  }

  private static func readTraining(_ group: HDF5Group) throws(CheckpointError) -> StoredTraining {
    var training = StoredTraining(
      step: try group.integerAttribute("step"), epoch: try group.doubleAttribute("epoch"),
      seed: try group.integerAttribute("seed"), bestMetric: try group.doubleAttribute("best_metric"))
    training.recipe = try readText("recipe", in: group)
    training.metrics = try readText("metrics", in: group)
    training.state = try readJSON("state", in: group)
    guard let groups = try group.group("groups") else { return training }
    for name in try groups.memberNames() {
      guard let member = try groups.group(name) else { continue }
      training.tensorGroups.append((name, try readNested(member)))
    }
    return training
  }

  // MARK: Tensors

  /// Reads what `manifest` lists from `tensors/`.
  private static func readNested(_ group: HDF5Group) throws(CheckpointError) -> [StoredTensor] {
    let location = group.location(of: "manifest")
    guard let manifest = try readJSON("manifest", in: group)?.array else {
      throw .malformed(location, "is no JSON list")
    }
    guard manifest.count <= maximumTensors else {
      throw .malformed(location, "lists more than \(maximumTensors) tensors")
    }
    guard let root = try group.group("tensors") else { throw .malformed(group.location(of: "tensors"), "is missing") }
    var tensors: [StoredTensor] = []
    var names: Set<String> = []
    for item in manifest {
      let entry = try ManifestEntry(item, location)
      guard names.insert(entry.description.name).inserted else {
        throw .malformed(location, "lists '\(entry.description.name)' twice")
      }
      guard let dataset = try find(entry.description.name, in: root) else {
        throw .malformed(location, "lists '\(entry.description.name)', which is not in the file")
      }
      tensors.append(try read(dataset, as: entry.description, sha256: entry.sha256))
    }
    return tensors
  }

  /// Reads every dataset of a group that has no manifest.
  private static func readFlat(_ group: HDF5Group) throws(CheckpointError) -> [StoredTensor] {
    var tensors: [StoredTensor] = []
    for name in try group.memberNames() {
      guard let dataset = try group.dataset(name) else { continue }
      let description = TensorDescription(name: name, elementType: dataset.elementType, shape: dataset.shape)
      tensors.append(try read(dataset, as: description, sha256: nil))
    }
    return tensors
  }

  /// The dataset of a tensor: in its usual place, or wherever its name is divided into groups differently.
  private static func find(_ name: String, in root: HDF5Group) throws(CheckpointError) -> HDF5Dataset? {
    let components = name.split(separator: ".", omittingEmptySubsequences: false)
    var group = root
    for index in components.indices {
      if index > 0 {
        guard let next = try group.group(String(components[index - 1])) else { return nil }
        group = next
      }
      let rest = components[index...].joined(separator: ".")
      let isLast = index == components.count - 1
      if rest.hasSuffix("weight") || rest.hasSuffix("bias") || isLast, let dataset = try group.dataset(rest) {
        return dataset
      }
    }
    return nil
  }

  private static func read(
    _ dataset: HDF5Dataset, as description: TensorDescription, sha256: String?
  ) throws(CheckpointError) -> StoredTensor {
    let storedType: ElementType = description.elementType == .bool ? .uint8 : description.elementType
    guard dataset.elementType == storedType, dataset.shape == description.shape,
      let dtype = description.elementType.dtype
    else {
      throw .malformed(
        dataset.location,
        "is \(dataset.elementType.rawValue) \(dataset.shape), its manifest says "
          + "\(description.elementType.rawValue) \(description.shape)"
      )
    }
    guard dataset.shape.count <= maximumRank else {
      throw .malformed(dataset.location, "has more than \(maximumRank) dimensions")
    }
    let content = try dataset.read()
    let bytes = UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(content.bytes)[..<dataset.byteCount])
    let hash = SHA256.hash(bytes)
    let attribute = try dataset.stringAttribute("sha256")
    guard sha256 ?? hash == hash, attribute ?? hash == hash else {
      throw .malformed(
        dataset.location, "its data does not have the SHA-256 that is recorded", remedy: "restore the file from a copy")
    }
    let tensor = Tensor(
      borrowing: UnsafeRawPointer(content.bytes.baseAddress.unsafelyUnwrapped), owner: content,
      shape: Shape(description.shape), dtype: dtype)
    return StoredTensor(name: description.name, role: try dataset.stringAttribute("role"), tensor: tensor)
  }

  // MARK: Text

  private static func readText(_ name: String, in group: HDF5Group) throws(CheckpointError) -> String? {
    guard let dataset = try group.dataset(name) else { return nil }
    guard dataset.elementType == .uint8, dataset.shape.count == 1, dataset.byteCount <= maximumTextBytes else {
      throw .malformed(dataset.location, "is no text")
    }
    let content = try dataset.read(isText: true)
    guard let text = String(validating: content.bytes[..<dataset.byteCount], as: UTF8.self) else {
      throw .malformed(dataset.location, "is not UTF-8")
    }
    return text
  }

  private static func readJSON(_ name: String, in group: HDF5Group) throws(CheckpointError) -> JSON? {
    guard let text = try readText(name, in: group) else { return nil }
    do {
      return try JSON(parsing: text, options: JSONParsingOptions(allowsNonFiniteNumbers: true))
    } catch {
      throw .malformed(group.location(of: name), "\(error)")
    }
  }
}

/// One line of a manifest.
private struct ManifestEntry {
  let description: TensorDescription
  let sha256: String

  init(_ json: JSON, _ location: String) throws(CheckpointError) {
    guard let name = json["name"]?.string, let typeName = json["dtype"]?.string, let sha256 = json["sha256"]?.string,
      let dimensions = json["shape"]?.array
    else { throw .malformed(location, "an entry lacks name, dtype, shape or sha256") }
    if let objection = AdapterArchive.objection(toTensorName: name) { throw .malformed(location, objection) }
    let shape = dimensions.compactMap(\.int).filter { $0 >= 0 }
    guard let elementType = ElementType(rawValue: typeName), shape.count == dimensions.count else {
      throw .malformed(location, "the entry of '\(name)' has an unknown dtype or an impossible shape")
    }
    description = TensorDescription(name: name, elementType: elementType, shape: shape)
    self.sha256 = sha256
  }
}

extension StoredTensor {
  /// The SHA-256 of the tensor's bytes, in hexadecimal.
  var sha256: String {
    tensor.withUnsafeBytes { SHA256.hash($0) }
  }
}
