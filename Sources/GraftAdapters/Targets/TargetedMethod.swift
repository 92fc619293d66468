/// A method that picks modules with the keys that LoRA has for it.
protocol TargetedMethod: TuningMethod {
  var targetModules: ModuleSelection? { get }
  var excludeModules: ModuleSelection? { get }
  var layersToTransform: OneOrMany<Int>? { get }
  var layersPattern: OneOrMany<String>? { get }
  var modulesToSave: [String]? { get }
}

extension TargetedMethod {
  var excludeModules: ModuleSelection? { nil }
  var modulesToSave: [String]? { nil }

  /// What the keys pick.
  var targets: Targets {
    Targets(
      modules: targetModules, excluded: excludeModules, saved: modulesToSave ?? [], layers: layersToTransform?.values,
      layersPattern: layersPattern?.values ?? [])
  }
}
