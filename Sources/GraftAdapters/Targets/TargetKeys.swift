import GraftConfiguration

/// The keys with which PEFT's low-rank methods pick modules and layers.
public struct TargetKeys: InlinedKeys, Sendable, Hashable {
  /// The modules to adapt; nil for the family's own, which PEFT lists by name.
  public var targetModules: ModuleSelection?
  /// Modules that stay as they are although `targetModules` names them.
  public var excludeModules: ModuleSelection?
  /// The numbers of the layers to adapt; nil for all.
  public var layersToTransform: OneOrMany<Int>?
  /// The names before which a layer's number stands.
  public var layersPattern: OneOrMany<String>?
  /// Modules that are trained and stored whole.
  public var modulesToSave: [String]?

  /// The keys of a configuration that names no modules and no layers.
  public init() {}
}

/// A method with all of the targeting keys.
public protocol LayerTargetedMethod: TargetedMethod {
  /// The keys, which stand among the method's own.
  var targetKeys: TargetKeys { get set }
}

extension LayerTargetedMethod {
  public var targetModules: ModuleSelection? {
    get { targetKeys.targetModules }
    set { targetKeys.targetModules = newValue }
  }
  public var excludeModules: ModuleSelection? {
    get { targetKeys.excludeModules }
    set { targetKeys.excludeModules = newValue }
  }
  public var layersToTransform: OneOrMany<Int>? {
    get { targetKeys.layersToTransform }
    set { targetKeys.layersToTransform = newValue }
  }
  public var layersPattern: OneOrMany<String>? {
    get { targetKeys.layersPattern }
    set { targetKeys.layersPattern = newValue }
  }
  public var modulesToSave: [String]? {
    get { targetKeys.modulesToSave }
    set { targetKeys.modulesToSave = newValue }
  }
}
