import GraftLayers
import GraftTensors

/// What a method attaches through: the scope its tensors are made in, and the list of what it changes.
public final class Attachment {
  /// Where the tensors of injected methods live, under PEFT's prefix.
  public let scope: Scope
  /// Whether the tensors come from a file, which tells what they are whatever the patterns say.
  public let isLoading: Bool
  /// The trainable parameters with the keys they are stored under, in order.
  private(set) var entries: [(key: String, parameter: Parameter)] = []
  private(set) var merges: [() throws -> Void] = []
  private(set) var undoing: [() -> Void] = []
  private let source: (any WeightSource)?
  private(set) var consumed: Set<String> = []

  init(source: (any WeightSource)?, seed: UInt64) {
    self.source = source
    isLoading = source != nil
    scope = Scope(source: source, catalog: SiteCatalog(), seed: seed, isTrainable: true) / "base_model" / "model"
  }

  /// Puts an adapter in a linear layer's slot.
  /// - Throws: `TuningError` where the slot is taken.
  public func fill(_ layer: Linear, with adapter: some LinearAdapter) throws(TuningError) {
    guard layer.adapter == nil else { throw TuningError("\(layer.path): already has an adapter; detach it first") }
    layer.adapter = adapter
    merges.append { try adapter.merge(into: layer) }
    undoing.append { layer.adapter = nil }
  }

  /// Makes a parameter of the base part of the delta, under the given key; the base's own bytes stay as they are.
  /// - Throws: what the source throws; `WeightError` where its tensor has another shape.
  public func adopt(_ parameter: Parameter, as key: String) throws {
    let original = parameter.value, wasTrainable = parameter.isTrainable
    if let source {
      guard source.contains(key) else { throw WeightError("\(source.name): no tensor \(key) \(parameter.shape); the configuration asks for it") }
      let stored = try source.tensor(key)
      guard stored.shape == parameter.shape else {
        throw WeightError("\(source.name): \(key) has shape \(stored.shape); the model has \(parameter.shape)")
      }
      consumed.insert(key)
      parameter.assign(stored.converted(to: .float32))
    }
    parameter.isTrainable = true
    entries.append((key, parameter))
    undoing.append {
      parameter.isTrainable = wasTrainable
      parameter.assign(original)
      parameter.gradient = nil
    }
  }

  /// Everything trainable, in the order in which it was made.
  var parameters: [(key: String, parameter: Parameter)] {
    scope.catalog.parameters.map { ($0.path, $0) } + entries
  }

  /// - Throws: `TuningError` that lists the source's tensors which nothing asked for.
  func requireEverythingConsumed() throws(TuningError) {
    guard let source else { return }
    let unused = source.tensorNames.filter { !consumed.contains($0) && !scope.consumedNames.contains($0) }
    guard !unused.isEmpty else { return }
    let wanted = parameters.prefix(3).map(\.key).joined(separator: ", ")
    throw TuningError(
      "\(source.name): \(unused.count) tensors fit nothing in this model, such as \(unused.prefix(3).joined(separator: ", "));"
        + " it wants \(parameters.count), such as \(wanted.isEmpty ? "none" : wanted)")
  }
}
