import GraftAdapters
import GraftCheckpoints
import GraftDatasets
import GraftJSON
import GraftLayers
import GraftModels
import GraftReports
import GraftTensors

extension TrainableBase {
  /// The network of a recipe without weights: nothing is read but its configuration, and no memory is taken for it.
  static func outline(_ settings: RunSettings, labels: LabelScheme?, newTokens: NewTokens?) throws -> (model: any Model, configuration: JSON) {
    let recipe = settings.recipe
    var configuration = try configuration(of: recipe)
    if let newTokens { configuration["vocab_size"] = .integer(max(newTokens.vocabularySize, configuration["vocab_size"]?.int ?? 0)) }
    var config = ArchitectureConfiguration(configuration, source: recipe.model.path.map { "\($0)/config.json" } ?? "model.config")
    if let path = recipe.model.path, recipe.model.config == nil {
      config = ArchitectureConfiguration(try GenerationFile(in: path, configuration: config).completing(configuration), source: "\(path)/config.json")
    }
    var request = ModelRequest(
      config, task: recipe.task, labels: labels?.names.count, problem: labels?.problem, style: recipe.model.attention,
      pairsSentences: recipe.data.nextSentence)
    request.routerLosses = RouterLossFactors(balancing: recipe.training.routerAuxLossCoef, stability: recipe.training.routerZLossCoef)
    let scope = Scope(outlining: SiteCatalog(), frozenType: settings.frozenFormat)
    return (try ModelFamily.build(request, in: scope), configuration)
  }

  /// The bytes of the weights in resident memory: once the model is loaded, and in training.
  ///
  /// A file of weights is mapped, and read as a whole for the base's fingerprint; weights that have another format in memory, or are trained, are
  /// copies beside it.
  func weightBytes(isFull: Bool) throws -> (loaded: Double, all: Double) {
    let parameters = model.catalog.parameters
    let count = parameters.reduce(0.0) { $0 + Double($1.shape.elementCount) }
    guard let files = try checkpointFiles() else { return (4 * count, 4 * count) }
    let descriptions = files.flatMap(\.descriptions)
    let mapped = descriptions.reduce(0.0) { $0 + Double($1.byteCount) }
    let formats = Set(descriptions.map(\.elementType))
    func isMapped(_ parameter: Parameter) -> Bool { formats == [ElementType(parameter.format)] }
    let converted = parameters.reduce(0.0) { $0 + (isMapped($1) ? 0 : Double($1.stored.byteCount)) }
    // Products read a table that a head shares as a copy in their own format.
    let copies = Dictionary(model.catalog.ties.map { ($0.table.weight.path, $0.table.weight.copyByteCount) }) { first, _ in first }
    let copied = copies.values.reduce(0.0) { $0 + Double($1) }
    return (mapped + (isFull ? 0 : converted), mapped + (isFull ? 4 * count : converted + copied))
  }

  /// Refuses a model whose weights do not fit into memory before any is read.
  ///
  /// - Throws: `MemoryError`.
  func requireRoomForWeights() throws {
    let needed = try weightBytes(isFull: isFull).all
    guard needed > Double(AvailableMemory.bytes) else { return }
    func text(_ bytes: Double) -> String { Figure.bytes(Int(min(bytes, 1e18))) }
    throw MemoryError(
      "memory: the weights of \(name) take \(text(needed)) of resident memory, and \(text(Double(AvailableMemory.bytes))) are available; "
        + "take a smaller model, or pass --ignore-memory")
  }

  /// The services that a method may ask for, without a model to run.
  func outlineServices() throws -> AttachmentServices {
    let tokenizer = try tokenizer()
    return AttachmentServices(tokenize: { tokenizer.encode($0) }, run: { [model] in _ = model.hiddenStates($0, $1) })
  }
}
