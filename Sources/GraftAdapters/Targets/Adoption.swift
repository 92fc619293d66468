import GraftConfiguration
import GraftLayers
import GraftTensors

extension Attachment {
  /// Makes biases part of the delta: those of the targets, or all.
  /// - Parameter savedModules: the method's `modules_to_save`.
  /// - Throws: what `adopt` throws.
  func adoptBiases(_ training: BiasTraining, of sites: SiteCatalog, targets: [Linear], saved savedModules: [String]) throws {
    guard training != .none else { return }
    let targeted = Set(targets.map(\.path))
    for target in targets {
      guard let parameter = target.bias else { continue }
      try adopt(parameter, as: "base_model.model.\(target.path).base_layer.bias")
    }
    guard training == .all else { return }
    for parameter in sites.parameters where parameter.path.hasSuffix(".bias") && !targeted.contains(parameter.modulePath) {
      try adopt(parameter, as: "base_model.model.\(parameter.path)")
      try mirrorSavedBias(parameter, in: savedModules + unaskedModules(of: sites))
    }
  }

  /// A bias in a module that is saved whole: PEFT keeps the base's and the new one besides under the names of its wrapper.
  private func mirrorSavedBias(_ parameter: Parameter, in names: [String]) throws {
    let components = parameter.path.split(separator: ".").map(String.init)
    guard let end = components.indices.dropLast().first(where: { end in names.contains { components[...end].joined(separator: ".").hasSuffix($0) } })
    else { return }
    let wrapper = "base_model.model." + components[...end].joined(separator: ".")
    let rest = components[(end + 1)...].joined(separator: ".")
    for (part, value) in [
      ("original_module", { [unowned self] in original(of: parameter) }), ("modules_to_save", { [unowned self] in current(of: parameter) }),
    ] {
      try ignore("\(wrapper).\(part).\(rest)", shape: parameter.shape)
      store("\(wrapper).\(part).\(rest)", value)
    }
  }

  /// Takes over parameters of the base that a file has under their own names, such as tables that grew with the vocabulary.
  func adoptLeftovers(of sites: SiteCatalog) throws {
    for name in unusedNames where name.hasPrefix("base_model.model.") {
      let path = String(name.dropFirst("base_model.model.".count))
      if let parameter = sites.parameter(path) {
        try adopt(parameter, as: name)
      } else if let tie = sites.ties.first(where: { $0.head.path + ".weight" == path }) {
        try ignore(name, shape: tie.head.weight.shape)
      }
    }
  }

  /// Makes whole modules part of the delta, as PEFT's `modules_to_save` does: each name takes the modules whose paths end with it.
  ///
  /// - Parameter ensuresTying: true where a table and the head that shares it stay one.
  /// - Throws: `TuningError` for a name that no module has, but for those of the heads that PEFT adds by itself.
  func adoptModules(_ names: [String], of sites: SiteCatalog, ensuresTying: Bool = false) throws {
    let paths = sites.modulePaths
    for name in names {
      guard paths.contains(where: { $0.hasSuffix(name) }) else {
        if ["classifier", "score"].contains(name) { continue }
        try object("modules_to_save: \"\(name)\" matches no module; \(ModuleNames.advice(for: name, among: sites.sites.map(\.path)))")
        continue
      }
      for tie in sites.ties where SavedModules.takes(tie.table.path, name: name) || SavedModules.takes(tie.head.path, name: name) {
        try adopt(tie, of: sites, ensuresTying: ensuresTying)
      }
      for parameter in sites.parameters where SavedModules.takes(parameter.modulePath, name: name) { try adopt(parameter, as: key(of: parameter)) }
    }
  }

  /// Takes a table and the head that shares it apart, as PEFT's copy of either is; or keeps them one, under the names of both.
  private func adopt(_ tie: Tie, of sites: SiteCatalog, ensuresTying: Bool) throws {
    guard ensuresTying else { return untie(tie.head, of: sites) }
    let shared = tie.table.weight
    let mirror = "base_model.model.\(tie.head.path).weight"
    try adopt(shared, as: key(of: shared))
    try ignore(mirror, shape: shared.shape)
    store(mirror) { [unowned self] in current(of: shared) }
  }

  /// Makes the modules part of the delta that are saved without being asked for, as far as a file has them.
  func adoptUnasked(of sites: SiteCatalog) throws {
    let names = unaskedModules(of: sites)
    for parameter in sites.parameters where names.contains(where: { SavedModules.takes(parameter.modulePath, name: $0) }) {
      if offers(key(of: parameter)) { try adopt(parameter, as: key(of: parameter)) }
    }
  }

  /// The names of modules that are saved without being asked for; of those that the checkpoint lacked only what a file has.
  func unaskedModules(of sites: SiteCatalog) -> [String] { sites.unaskedModules { offers(key(of: $0)) } }

  private func key(of parameter: Parameter) -> String { modulePrefix.isEmpty ? parameter.path : "\(modulePrefix).\(parameter.path)" }
}

extension Parameter {
  /// Replaces the elements and keeps their format.
  /// - Throws: `TuningError` where the format cannot take them.
  func replace(with elements: Tensor) throws(TuningError) {
    do { try replaceElements(with: elements) } catch { throw TuningError("\(path): \(error.description)") }
  }
}

extension Linear {
  /// Replaces the weight by what `change` makes of it as a float32 `[out, in]`, in the type it had.
  /// - Throws: `TuningError` where the matrix belongs to another layer too, the result is not finite, or the format takes no sum.
  public func merge(_ change: (_ weight: Tensor) -> Tensor) throws(TuningError) {
    guard ownsWeight else {
      throw TuningError("\(path): shares \(weight.path), which merging would change too; use the delta as an adapter")
    }
    let full = weight.dense()
    let merged = layout == .outputByInput ? change(full) : change(full.transposed).transposed
    guard merged.firstNonFiniteIndex == nil else { throw TuningError("\(path): merging makes a weight that is not finite") }
    try weight.replace(with: merged)
  }

  /// Adds to the bias.
  /// - Throws: `TuningError` where there is none to add to.
  func merge(bias change: Tensor?) throws(TuningError) {
    guard let change else { return }
    guard let bias else { throw TuningError("\(path): has no bias for lora_bias to be merged into; use the delta as an adapter") }
    bias.assign(bias.dense() + change)
  }
}

/// The biases of the base that are trained beside the adapter.
package enum BiasTraining: String, ConfigChoice {
  /// None, or all that the base has.
  case none, all
  /// Biases of the layers that the method adapts, under the name that PEFT has for it.
  case loraOnly = "lora_only"
  case veraOnly = "vera_only"
  case oftOnly = "oft_only"
  case vbloraOnly = "vblora_only"
  case boftOnly = "boft_only"
  case hraOnly = "hra_only"
  case missOnly = "MiSS_only"
  case deloraOnly = "delora_only"
  case fourierftOnly = "fourierft_only"
  case waveftOnly = "waveft_only"
  case c3aOnly = "c3a_only"
  case graloraOnly = "gralora_only"
  case gloraOnly = "glora_only"
  case randloraOnly = "randlora_only"
  case pveraOnly = "pvera_only"
  case tinyloraOnly = "tinylora_only"
  case deftOnly = "deft_only"
  case uniloraOnly = "unilora_only"
}

/// One value or a list of them, as PEFT writes some keys.
public struct OneOrMany<Value: Codable & Sendable & Hashable>: Codable, Sendable, Hashable {
  /// The values, one or several.
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
