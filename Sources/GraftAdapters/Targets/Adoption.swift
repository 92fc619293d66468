import GraftConfiguration
import GraftLayers
import GraftTensors

extension Attachment {
  /// Makes whole modules part of the delta, as PEFT's `modules_to_save` does.
  /// - Throws: `TuningError` for a name that no module has.
  public func adoptModules(_ names: [String], of sites: SiteCatalog) throws {
    for name in names {
      let modules = sites.sites.map(\.path).filter { ModuleSelection.matches($0, name: name) }
      let parameters = sites.parameters.filter { parameter in modules.contains { parameter.path.hasPrefix($0 + ".") } }
      guard !parameters.isEmpty else {
        let ends = Set(sites.sites.compactMap { $0.path.split(separator: ".").last.map(String.init) }).sorted()
        throw TuningError("modules_to_save: \"\(name)\" matches no module with parameters; there are \(ends.joined(separator: ", "))")
      }
      for parameter in parameters { try adopt(parameter, as: "base_model.model.\(parameter.path)") }
    }
  }
}

extension Linear {
  /// Adds `scale * delta [out, in]` to the weight.
  func add(_ delta: Tensor, scale: Float) {
    let base = weight.value.converted(to: .float32)
    let change = layout == .outputByInput ? delta : delta.transposed
    weight.assign((base + scale * change).converted(to: weight.value.dtype))
  }
}

/// One value or a list of them, as PEFT writes some keys.
public struct OneOrMany<Value: Codable & Sendable & Hashable>: Codable, Sendable, Hashable {
  public var values: [Value]
  private var isSingle: Bool

  public init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    if let one = try? container.decode(Value.self) {
      (values, isSingle) = ([one], true)
    } else {
      (values, isSingle) = (try container.decode([Value].self), false)
    }
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    if isSingle, let value = values.first { try container.encode(value) } else { try container.encode(values) }
  }
}

extension ConfigTree {
  /// A mapping of patterns to numbers, in the file's order.
  var numbers: [(pattern: String, value: Double)] {
    mapping?.entries.compactMap { entry in entry.value.double.map { (entry.key, $0) } } ?? []
  }
}
