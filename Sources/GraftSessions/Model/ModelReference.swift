import GraftCheckpoints
import GraftRecipes
import GraftTensors

/// The model and the adapters that are meant where a run, or an adapter, is all that is named: what these know is not asked for.
public struct ModelReference: Sendable {
  /// The model directory, or the name of the hub, as it was named.
  public let model: String
  /// The directory of the model, that of the hub's cache where it is named so.
  /// - Throws: `CheckpointError` where there is none.
  public var directory: String { get throws { try HubCache().directory(of: model) } }
  /// The adapters, as they were named.
  public let adapters: [String]
  /// The quantization that the run had, of matrices which the model holds unquantized; nil for none.
  public let quantization: WeightQuantization?

  /// - Parameters:
  ///   - place: a run's directory, an adapter, or a model; nil where the model is named.
  ///   - model: the model's directory, or that of a run.
  ///   - adapters: adapters that are named besides.
  /// - Throws: `SessionError` where nothing tells the model, and what reading a recipe or an adapter throws.
  public init(_ place: String?, model: String? = nil, adapters: [String] = []) throws {
    if let model, !Self.isRun(model) {
      (self.model, self.adapters, quantization) = (model, [place].compactMap(\.self) + adapters, nil)
      return
    }
    guard let place = place ?? model ?? adapters.first else {
      throw SessionError(.usage, "--model: missing; name a model's directory, or a run")
    }
    let others = adapters.first == place ? Array(adapters.dropFirst()) : adapters
    if Self.isModel(place) {
      (self.model, self.adapters, quantization) = (place, others, nil)
    } else if Self.isModel("\(place)/model"), !Self.isFile("\(place)/adapter.h5") {
      // All weights were trained.
      (self.model, self.adapters, quantization) = ("\(place)/model", others, nil)
    } else {
      let recipe = Self.isRun(place) ? try Recipe(file: "\(place)/recipe.yaml") : nil
      (self.model, self.adapters) = (try Self.base(of: place, recipe), [place] + others)
      quantization = recipe?.weightQuantization
    }
  }

  /// The directory of the model that an adapter was trained on: as the recipe of its run names it, or where the adapter says that it was.
  /// - Throws: `SessionError` where it is not there any more.
  static func base(of adapter: String, _ recipe: Recipe?) throws -> String {
    if let path = recipe?.model.path, isModel(path) { return path }
    let recorded = try AdapterFile.read(adapter).base?.name
    if let recorded, isModel(recorded) { return recorded }
    let name = recipe?.model.path ?? recorded
    throw SessionError(
      .usage,
      name.map { "\(adapter): was trained on \($0), which is no model's directory here; add --model" }
        ?? "\(adapter): does not tell what it was trained on; add --model")
  }

  /// The directory of the model that an adapter was trained on; nil where nothing tells it, or it is not there any more.
  static func knownBase(of adapter: String) -> String? {
    let recipe = isRun(adapter) ? try? Recipe(file: "\(adapter)/recipe.yaml") : nil
    return try? base(of: adapter, recipe)
  }

  private static func isRun(_ path: String) -> Bool { isFile("\(path)/recipe.yaml") && !isModel(path) }
  /// True for a model's directory, and for a name of the hub that is in its cache.
  private static func isModel(_ path: String) -> Bool { (try? HubCache().directory(of: path)).map { isFile("\($0)/config.json") } ?? false }

  private static func isFile(_ path: String) -> Bool {
    if case .file = FileKind(of: path) { true } else { false }
  }
}
