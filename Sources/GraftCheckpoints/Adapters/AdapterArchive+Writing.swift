import GraftJSON
import GraftTensors

extension AdapterArchive {
  /// Writes adapters to an HDF5 file, replaced only when all is written. Equal content gives equal bytes.
  ///
  /// - Parameter deflateLevel: 0 for none, up to 4; weights hardly compress.
  /// - Throws: `CheckpointError` of kind `cannotCreate` or `inputOutput`, `unsupported` for tensors (by name, type or
  ///   rank) that the format has no place for.
  public static func write(_ content: AdapterFile, to path: String, deflateLevel: Int = 0) throws(CheckpointError) {
    precondition((0...4).contains(deflateLevel))
    let file = try HDF5File.create(path)
    let root = try file.root()
    try root.setAttribute("format", format)
    try root.setAttribute("format_version", UInt32(formatVersion))
    try root.setAttribute("generator", generator)
    if let base = content.base { try write(base, to: root.createGroup("base")) }
    let adapters = try root.createGroup("adapters")
    for adapter in content.adapters {
      if let objection = objection(toName: adapter.name) { throw CheckpointError(.unsupported, path, objection) }
      try write(adapter, to: adapters.createGroup(adapter.name), deflateLevel)
    }
    try file.write()
  }

  private static func write(_ base: BaseFingerprint, to group: HDF5Group) throws(CheckpointError) {
    for (name, text) in [
      ("name", base.name), ("revision", base.revision), ("model_type", base.modelType),
      ("architecture", base.architecture), ("weights_sha256", base.weightsSHA256),
      ("tokenizer_sha256", base.tokenizerSHA256),
    ] {
      if let text { try group.setAttribute(name, text) }
    }
    for (name, number) in [
      ("hidden_size", base.hiddenSize), ("num_layers", base.layerCount), ("vocab_size", base.vocabularySize),
    ] {
      if let number, let value = UInt32(exactly: number) { try group.setAttribute(name, value) }
    }
  }

  private static func write(_ adapter: StoredAdapter, to group: HDF5Group, _ deflateLevel: Int) throws(CheckpointError) {
    try group.setAttribute("method", adapter.method)
    try group.setAttribute("peft_type", adapter.peftType)
    if let taskType = adapter.taskType { try group.setAttribute("task_type", taskType) }
    try group.setAttribute("num_tensors", UInt32(adapter.tensors.count))
    try group.setAttribute("num_parameters", UInt64(adapter.parameterCount))
    try group.setAttribute("content_sha256", adapter.contentSHA256)
    try writeText(adapter.configuration.serialized(pretty: true), "config", to: group)
    try writeNested(adapter.tensors, to: group, deflateLevel)
    if !adapter.reparam.isEmpty {
      try writeFlat(adapter.reparam, to: group.createGroup("reparam", for: adapter.reparam.map(\.name)), deflateLevel)
    }
    if !adapter.head.isEmpty {
      try writeFlat(adapter.head, to: group.createGroup("head", for: adapter.head.map(\.name)), deflateLevel)
    }
    if let training = adapter.training { try write(training, to: group.createGroup("training"), deflateLevel) }
  }

  private static func write(_ training: StoredTraining, to group: HDF5Group, _ deflateLevel: Int)
    throws(CheckpointError)
  {
    if let step = training.step { try group.setAttribute("step", UInt64(max(0, step))) }
    if let epoch = training.epoch { try group.setAttribute("epoch", epoch) }
    if let seed = training.seed { try group.setAttribute("seed", Int64(seed)) }
    if let bestMetric = training.bestMetric { try group.setAttribute("best_metric", bestMetric) }
    if let recipe = training.recipe { try writeText(recipe, "recipe", to: group) }
    if let metrics = training.metrics { try writeText(metrics, "metrics", to: group) }
    if let state = training.state { try writeText(state.serialized(), "state", to: group) }
    guard !training.tensorGroups.isEmpty else { return }
    let groups = try group.createGroup("groups")
    for (name, tensors) in training.tensorGroups {
      if let objection = objection(toName: name) { throw CheckpointError(.unsupported, groups.location(), objection) }
      try writeNested(tensors, to: groups.createGroup(name), deflateLevel)
    }
  }

  /// Writes `manifest` and `tensors/`.
  private static func writeNested(
    _ tensors: [StoredTensor], to parent: HDF5Group, _ deflateLevel: Int
  ) throws(CheckpointError) {
    guard tensors.count <= maximumTensors else {
      throw CheckpointError(.unsupported, parent.location(), "more than \(maximumTensors) tensors")
    }
    let hashes = tensors.map(\.sha256)
    let manifest = zip(tensors, hashes).map { tensor, hash -> JSON in
      let description = tensor.description
      return [
        "name": .string(description.name), "dtype": .string(description.elementType.rawValue),
        "shape": .array(description.shape.map(JSON.integer)), "sha256": .string(hash),
      ]
    }
    try writeText(JSON.array(manifest).serialized(), "manifest", to: parent)
    for tensor in tensors {
      if let objection = objection(toTensorName: tensor.name) {
        throw CheckpointError(.unsupported, parent.location(), objection)
      }
    }
    let members = members(of: tensors)
    var groups = ["": try parent.createGroup("tensors", for: members["", default: []])]
    for (tensor, hash) in zip(tensors, hashes) {
      let place = place(of: tensor.name)
      let group = try nestedGroup(place.groups[...], in: &groups, members)
      try write(tensor, place.dataset, hash, to: group, deflateLevel)
    }
  }

  /// The names in every group below `tensors/`, under the group's path.
  private static func members(of tensors: [StoredTensor]) -> [String: Set<String>] {
    var members: [String: Set<String>] = [:]
    for tensor in tensors {
      let place = place(of: tensor.name)
      for depth in 0...place.groups.count {
        let member = depth < place.groups.count ? place.groups[depth] : place.dataset
        members[place.groups[..<depth].joined(separator: "/"), default: []].insert(member)
      }
    }
    return members
  }

  /// The group at a path below `tensors/`, created with its parents where it lacks.
  private static func nestedGroup(
    _ components: ArraySlice<String>, in groups: inout [String: HDF5Group], _ members: [String: Set<String>]
  ) throws(CheckpointError) -> HDF5Group {
    let path = components.joined(separator: "/")
    if let known = groups[path] { return known }
    let parent = try nestedGroup(components.dropLast(), in: &groups, members)
    let group = try parent.createGroup(components.last ?? "", for: members[path, default: []])
    groups[path] = group
    return group
  }

  private static func writeFlat(_ tensors: [StoredTensor], to group: HDF5Group, _ deflateLevel: Int)
    throws(CheckpointError)
  {
    guard tensors.count <= HDF5Group.maximumCompactLinks else {
      throw CheckpointError(.unsupported, group.location(), "more than \(HDF5Group.maximumCompactLinks) tensors")
    }
    for tensor in tensors {
      if let objection = objection(toTensorName: tensor.name) {
        throw CheckpointError(.unsupported, group.location(), objection)
      }
      try write(tensor, tensor.name, tensor.sha256, to: group, deflateLevel)
    }
  }

  private static func write(
    _ tensor: StoredTensor, _ name: String, _ hash: String, to group: HDF5Group, _ deflateLevel: Int
  ) throws(CheckpointError) {
    let description = tensor.description
    guard description.shape.count <= maximumRank else {
      throw CheckpointError(
        .unsupported, group.location(of: name), "adapter files hold at most \(maximumRank) dimensions")
    }
    let written = tensor.tensor.withUnsafeBytes { bytes in
      Result { () throws(CheckpointError) in
        try group.createDataset(
          name, description.elementType, shape: description.shape, bytes: bytes, deflateLevel: deflateLevel)
      }
    }
    let dataset = try written.get()
    try dataset.setAttribute("role", tensor.role)
    try dataset.setAttribute("sha256", hash)
  }

  private static func writeText(_ text: String, _ name: String, to group: HDF5Group) throws(CheckpointError) {
    try ContiguousArray(text.utf8).withUnsafeBufferPointer { (bytes) throws(CheckpointError) in
      _ = try group.createDataset(name, .uint8, shape: [bytes.count], bytes: UnsafeRawBufferPointer(bytes))
    }
  }
}
