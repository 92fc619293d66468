import GraftConfiguration
import GraftLayers
import GraftTensors

extension Attachment {
  /// Makes biases part of the delta: those of the targets, or all.
  /// - Throws: what `adopt` throws.
  func adoptBiases(_ training: BiasTraining, of sites: SiteCatalog, targets: [Linear]) throws {
    guard training != .none else { return }
    let targeted = Set(targets.map(\.path))
    for target in targets {
      guard let parameter = target.bias else { continue }
      try adopt(parameter, as: "base_model.model.\(target.path).base_layer.bias")
    }
    guard training == .all else { return }
    for parameter in sites.parameters where parameter.path.hasSuffix(".bias") && !targeted.contains(String(parameter.path.dropLast(5))) {
      try adopt(parameter, as: "base_model.model.\(parameter.path)")
    }
  }

  /// Makes whole modules part of the delta, as PEFT's `modules_to_save` does.
  /// PEFT names both of the heads that classifiers may have; the one that this model lacks is passed over.
  /// - Throws: `TuningError` for another name that no module has.
  public func adoptModules(_ names: [String], of sites: SiteCatalog) throws {
    for name in names {
      let modules = sites.sites.map(\.path).filter { ModuleSelection.matches($0, name: name) }
      let parameters = sites.parameters.filter { parameter in modules.contains { parameter.path.hasPrefix($0 + ".") } }
      guard !parameters.isEmpty else {
        if Set(names).isSuperset(of: ["classifier", "score"]), ["classifier", "score"].contains(name) { continue }
        let ends = Set(sites.sites.compactMap { $0.path.split(separator: ".").last.map(String.init) }).sorted()
        throw TuningError("modules_to_save: \"\(name)\" matches no module with parameters; there are \(ends.joined(separator: ", "))")
      }
      for parameter in parameters { try adopt(parameter, as: key(of: parameter)) }
    }
  }

  /// Makes the classifier part of the delta, as PEFT does unasked: a fresh one could not be used frozen.
  func adoptClassifier(of sites: SiteCatalog) throws {
    for head in sites.sites where head.role == .classifier && head.linear?.adapter == nil {
      let names = head.path.split(separator: ".").map(String.init)
      let end = names.firstIndex { ["classifier", "score"].contains($0) } ?? names.count - 1
      for parameter in sites.parameters(under: names[...end].joined(separator: ".")) where offers(key(of: parameter)) {
        try adopt(parameter, as: key(of: parameter))
      }
    }
  }

  private func key(of parameter: Parameter) -> String { modulePrefix.isEmpty ? parameter.path : "\(modulePrefix).\(parameter.path)" }
}

extension Linear {
  /// Replaces the weight by what `change` makes of it as a float32 `[out, in]`, in the type it had.
  /// - Throws: `TuningError` where the matrix belongs to another layer too, or the result is not finite.
  public func merge(_ change: (_ weight: Tensor) -> Tensor) throws(TuningError) {
    guard weight.path == path + ".weight" else {
      throw TuningError("\(path): shares \(weight.path), which merging would change too; use the delta as an adapter")
    }
    let full = weight.value.converted(to: .float32)
    let merged = layout == .outputByInput ? change(full) : change(full.transposed).transposed
    guard merged.firstNonFiniteIndex == nil else { throw TuningError("\(path): merging makes a weight that is not finite") }
    weight.assign(merged.converted(to: weight.value.dtype))
  }

  /// Adds to the bias.
  /// - Throws: `TuningError` where there is none to add to.
  func merge(bias change: Tensor?) throws(TuningError) {
    guard let change else { return }
    guard let bias else { throw TuningError("\(path): has no bias for lora_bias to be merged into; use the delta as an adapter") }
    bias.assign(bias.value.converted(to: .float32) + change)
  }
}

/// Which of the base's biases are trained beside the adapter.
public enum BiasTraining: String, ConfigChoice {
  case none, all
  case loraOnly = "lora_only"
  case veraOnly = "vera_only"
  case oftOnly = "oft_only"
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
