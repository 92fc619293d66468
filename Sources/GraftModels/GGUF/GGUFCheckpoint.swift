import GraftBatching
import GraftCheckpoints
import GraftJSON
import GraftLayers
import GraftTensors

/// A model in a file of llama.cpp as Transformers would keep it: its configuration, and its tensors under their names there.
///
/// Tensors are made one at a time, of what the file maps.
package final class GGUFCheckpoint {
  package let file: GGUFShards
  /// The `config.json` that the file's keys tell.
  package let configuration: JSON
  /// The tensors with the types that they are given in.
  package private(set) var descriptions: [TensorDescription] = []
  /// Differences that somebody who uses the checkpoint should know of.
  package private(set) var notes: [String] = []
  private let map: GGUFTensorMap
  private var entries: [String: GGUFTensorMap.Entry] = [:]

  /// - Throws: `CheckpointError` for a damaged file, `ArchitectureError` for an architecture that is not read, and for keys and tensors that no
  ///   model of its family has.
  package init(_ path: String) throws {
    let file = try GGUFShards(path)
    let keys = try GGUFKeys(file)
    let family = try ModelFamily.described(by: keys)
    let configuration = try family.configuration(of: keys)
    let base = try GGUFBase(configuration, source: path)
    let model = try base.architecture.model(base.configuration)
    try Self.compare(model, with: keys)
    let outline = try ModelFamily.build(ModelRequest(ArchitectureConfiguration(configuration, source: path)), in: Scope(outlining: SiteCatalog()))
    (self.file, self.configuration, map) = (file, configuration, try GGUFTensorMap(outline.catalog, base, model))
    for entry in map.entries { entries[entry.path] = entry }
    try requireTensors(beside: Set(model.vectors.map(\.name)))
    descriptions = try describedTensors()
    notes = model.notes
    if keys.contains("attention.sliding_window"), !model.metadata.contains(where: { $0.key.hasSuffix(".attention.sliding_window") }) {
      notes.append("the file does not tell which layers have a sliding window: the result attends to everything, as llama.cpp does")
    }
  }

  /// The tensor of a description.
  /// - Throws: `CheckpointError` where the file's is in a format that cannot be read.
  package func tensor(_ description: TensorDescription) throws -> Tensor {
    guard let entry = entries[description.name] else { throw ArchitectureError("\(file.path): has no tensor for \(description.name)") }
    let value = try map.restored(try file.tensor(entry.name), of: entry)
    return description.elementType.dtype.map(value.converted) ?? value
  }

  /// Refuses a file that says something else than its configuration, read again, would.
  private static func compare(_ model: GGUFModel, with keys: GGUFKeys) throws {
    for (key, expected) in model.metadata {
      guard let found = keys.file[key] else { continue }
      let isSame: Bool
      switch (expected.double ?? expected.int.map(Double.init), found.double ?? found.int.map(Double.init)) {
      case (let wanted?, let given?): isSame = abs(wanted - given) <= 1e-5 * abs(wanted)
      default: isSame = expected == found
      }
      guard isSame else {
        throw ArchitectureError("\(keys.file.path): \(key) is not what a model of this architecture has; take the model's original checkpoint")
      }
    }
    for (name, expected) in model.vectors {
      let found = try keys.vector(name) ?? expected
      guard found.count == expected.count, zip(found, expected).allSatisfy({ abs($0 - $1) <= 1e-4 * abs($1) }) else {
        throw ArchitectureError("\(keys.file.path): \(name) is not what a model of this architecture has; take the model's original checkpoint")
      }
    }
  }

  /// - Throws: `ArchitectureError` that names what the file lacks, has in another shape, or has besides.
  private func requireTensors(beside vectors: Set<String>) throws(ArchitectureError) {
    for entry in map.entries {
      guard let stored = file.entry(of: entry.name) else {
        throw ArchitectureError("\(file.path): has no tensor \(entry.name); fetch the file again, all of it where it is split")
      }
      guard stored.shape == entry.storedShape else {
        throw ArchitectureError("\(file.path): \(entry.name) has shape \(stored.shape); its keys imply \(entry.storedShape)")
      }
    }
    let known = vectors.union(map.entries.map(\.name))
    guard let other = file.entries.first(where: { !known.contains($0.name) }) else { return }
    throw ArchitectureError("\(file.path): \(other.name) is no tensor of this architecture here; take the model's original checkpoint")
  }

  /// The tensors in the type of most of the file's matrices, in float32 where that is one of blocks. What llama.cpp has in float32 anyway is
  /// given in the other type where nothing is lost.
  private func describedTensors() throws -> [TensorDescription] {
    var counts: [ElementFormat: Int] = [:]
    for entry in map.entries where !entry.isExact {
      guard let stored = file.entry(of: entry.name) else { continue }
      counts[stored.format, default: 0] += stored.shape.reduce(1, *)
    }
    let usual = counts.max { ($0.value, $1.key.ggmlName) < ($1.value, $0.key.ggmlName) }?.key ?? .float32
    return try map.entries.map { entry in
      let stored = file.entry(of: entry.name)?.format ?? .float32
      var type = stored.blockLength == 1 ? stored : .float32
      if entry.isExact, type == .float32, usual.isFloatingPoint, usual.blockLength == 1, try fits(entry, usual) { type = usual }
      return TensorDescription(name: entry.path, elementType: ElementType(type), shape: entry.shape)
    }
  }

  /// True where a tensor in another type is written to the same bits of a file again.
  private func fits(_ entry: GGUFTensorMap.Entry, _ type: ElementFormat) throws -> Bool {
    let stored = try file.tensor(entry.name)
    let cast = try map.restored(stored, of: entry).converted(to: type)
    return try map.stored(cast, of: entry).converted(to: .float32).values == stored.values
  }
}

extension ModelFamily {
  /// The family that a file of llama.cpp holds a model of.
  /// - Throws: `ArchitectureError` for an architecture that is not read.
  fileprivate static func described(by keys: GGUFKeys) throws(ArchitectureError) -> ModelFamily {
    if try keys.count("expert_count", default: 0) > 0 {
      throw ArchitectureError("\(keys.file.path): holds a mixture of experts, which is not read from GGUF; take the model's original checkpoint")
    }
    if let family = registry.entries.first(where: { $0.gguf?.describes(keys) == true }) { return family }
    let known = Set(registry.entries.compactMap(\.gguf).filter(\.isRead).map(\.name)).sorted().joined(separator: ", ")
    throw ArchitectureError(
      "\(keys.file.path): architecture '\(keys.architecture)' is not read from GGUF, of which \(known) are; take the model's original checkpoint")
  }

  /// The `config.json` of a file's model.
  fileprivate func configuration(of keys: GGUFKeys) throws -> JSON {
    let special = try GGUFVocabulary(keys.file.head).specialIDs.map { ($0.key, JSON.integer($0.id)) }
    let vocabulary = try keys.rows(of: "token_embd.weight")
    // The defaults of Transformers' classes are tokens of their own vocabularies.
    let members: [(String, JSON)] =
      try [("vocab_size", .integer(vocabulary)), ("tie_word_embeddings", .bool(!keys.hasTensor("output.weight"))), ("pad_token_id", .null)]
      + special + (gguf?.members(keys) ?? [])
    let known = Set(configuration.keys.map(\.name))
    var json: JSON = ["model_type": .string(modelType)]
    if let name = architecture(for: .causalLM) { json["architectures"] = [.string(name)] }
    for (key, value) in members where known.contains(key) { json[key] = value }
    return json
  }
}
