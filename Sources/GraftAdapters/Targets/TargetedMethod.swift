import GraftLayers

/// A method that picks modules with the keys that LoRA has for it.
public protocol TargetedMethod: TuningMethod {
  /// The modules to adapt; nil for the family's own, which PEFT lists by name.
  var targetModules: ModuleSelection? { get set }
  /// Modules that stay as they are although `targetModules` names them.
  var excludeModules: ModuleSelection? { get }
  /// The numbers of the layers to adapt; nil for all.
  var layersToTransform: OneOrMany<Int>? { get }
  /// The names before which a layer's number stands.
  var layersPattern: OneOrMany<String>? { get }
  /// Modules that are trained and stored whole.
  var modulesToSave: [String]? { get }
}

extension TargetedMethod {
  public var excludeModules: ModuleSelection? { nil }
  public var modulesToSave: [String]? { nil }
  public var layersToTransform: OneOrMany<Int>? { nil }
  public var layersPattern: OneOrMany<String>? { nil }

  /// The choice that the keys make.
  var targets: Targets {
    Targets(
      modules: targetModules, excluded: excludeModules, saved: modulesToSave ?? [], layers: layersToTransform?.values,
      layersPattern: layersPattern?.values ?? [])
  }

  /// `all-linear` as the list that stands for it in this model, since the word means other modules to other programs. The tensors of
  /// a stored adapter tell which it was trained with.
  public func completed(for sites: SiteCatalog, holding stored: [String]?) throws -> Self { try namingTargets(in: sites, holding: stored) }

  func namingTargets(in sites: SiteCatalog, holding stored: [String]?) throws -> Self {
    guard targetModules?.isAllLinear == true else { return self }
    var method = self
    guard let stored else {
      method.targetModules = .names(try targets.allLinear(in: sites))
      return method
    }
    let ends = [".weight", ".bias", ".base_layer.weight", ".base_layer.bias"]
    let holders = Set(
      sites.linears.map(\.path).filter { path in
        let key = "base_model.model.\(path)"
        return stored.contains { name in name.hasPrefix(key + ".") && !ends.contains { name == key + $0 } }
      })
    // Named as where nothing is stored, so that a training that goes on is written as one that never stopped.
    if let names = try? targets.allLinear(in: sites) {
      method.targetModules = .names(names)
      let survey = Attachment(source: nil, seed: 0, services: AttachmentServices())
      if let chosen = try? method.targets.linears(in: sites, for: survey), Set(chosen.map(\.path)) == holders { return method }
    }
    method.targetModules = .names(sites.linears.map(\.path).filter(holders.contains))
    return method
  }
}
