import GraftBatching
import GraftCheckpoints
import GraftJSON
import GraftLayers

extension Checkpoint {
  /// Opens the weights of a model directory: those that Transformers reads, an RWKV as its authors publish it, or one GGUF file.
  ///
  /// - Throws: `CheckpointError` for weights that are missing or damaged, `ArchitectureError` for a GGUF file of a family that has no
  ///   counterpart in llama.cpp.
  package convenience init(ofModel directory: String) throws {
    if let path = try GGUFWeights.published(in: directory) {
      let base = try GGUFBase(try Checkpoint.configuration(in: directory), source: "\(directory)/config.json")
      let file = try GGUFFile(path)
      self.init(directory: directory, try GGUFWeights(file, try base.counterparts(of: file)))
    } else {
      try self.init(directory: directory)
    }
  }
}

extension GGUFBase {
  /// The forms that a file's tensors have in Transformers, by their names in the file.
  /// - Throws: `CheckpointError` where the file is of another architecture than the configuration, `ArchitectureError` where the
  ///   configuration makes no model.
  fileprivate func counterparts(of file: GGUFFile) throws -> [String: GGUFWeights.Counterpart] {
    let name = file["general.architecture"]?.string ?? "unknown"
    guard name == architecture.name else {
      throw CheckpointError(
        .malformed, file.path, "is of the architecture '\(name)'; the config.json beside it is of '\(architecture.name)'",
        remedy: "put it beside its own config.json")
    }
    let catalog = SiteCatalog()
    _ = try ModelFamily.build(ModelRequest(configuration, task: .causalLM), in: Scope(outlining: catalog))
    let model = try architecture.model(configuration)
    let inputFirst = Set(catalog.linears.filter { $0.layout == .inputByOutput }.map(\.weight.path))
    let norms = model.normOffset == 0 ? [] : Set(catalog.sites.compactMap { $0.norm?.weight.path })
    // What the model has no parameter for stays under its own name, where it is missed; rotary factors follow from the configuration.
    let others = file.entries.map(\.name).filter { !$0.hasPrefix("rope_f") }
    var counterparts = Dictionary(others.map { ($0, GGUFWeights.Counterpart($0)) }) { first, _ in first }
    for path in catalog.parameters.map(\.path) {
      let end = path.hasSuffix(".bias") ? ".bias" : ".weight"
      let module = String(path.dropLast(end.count))
      guard let name = architecture.name(of: module) else { continue }
      counterparts[name + end] = GGUFWeights.Counterpart(
        path, rowOrder: try architecture.rowOrder(of: module, configuration).map(Self.inverted), isTransposed: inputFirst.contains(path),
        offset: norms.contains(path) ? model.normOffset : 0)
    }
    return counterparts
  }

  /// The places that the rows went to: llama.cpp's row i is Transformers' row order[i].
  private static func inverted(_ order: [Int32]) -> [Int32] {
    var places = [Int32](repeating: 0, count: order.count)
    for (place, row) in order.enumerated() { places[Int(row)] = Int32(place) }
    return places
  }
}
