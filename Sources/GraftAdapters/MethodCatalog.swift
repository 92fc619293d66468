import GraftCheckpoints
import GraftConfiguration
import GraftJSON
import GraftLayers

/// The methods that recipes and adapter files name, by `peft_type`: those of the package, and those that a program adds.
public enum MethodCatalog {
  /// The methods of the package, one line each, in the order in which they are documented.
  package static let builtIn: [any TuningMethod.Type] = [
    LoRA.self,
    PromptTuning.self,
    PTuning.self,
    PrefixTuning.self,
    MultitaskPromptTuning.self,
    Cartridge.self,
    StateTuning.self,
    IA3.self,
    VeRA.self,
    LoHa.self,
    LoKr.self,
    AdaLoRA.self,
    OFT.self,
    VBLoRA.self,
    UniLoRA.self,
    BOFT.self,
    HRA.self,
    MiSS.self,
    SHiRA.self,
    SuperTuning.self,
    FourierFT.self,
    WaveFT.self,
    C3A.self,
    RandLoRA.self,
    PVeRA.self,
    TinyLoRA.self,
    GraLoRA.self,
    HiRA.self,
    DeLoRA.self,
    GLoRA.self,
    RoAd.self,
    DEFT.self,
    PEANuT.self,
    Lily.self,
    BEFT.self,
    AdaptionPrompt.self,
    BottleneckAdapter.self,
    AdapterComposition.self,
    ReFT.self,
    HubPrefixTuning.self,
    HubLoRA.self,
    MethodUnion.self,
    TrainableTokens.self,
    NormTuning.self,
    BitFit.self,
    FullFineTuning.self,
  ]

  private static let registry = Registry<any TuningMethod.Type>("peft_type", builtIn) { $0.name.uppercased() }

  /// Adds a method of the program's own, before it reads a recipe or an adapter that names it.
  /// - Throws: `RegistryError` where its name is taken, in whatever case.
  public static func register(_ method: any TuningMethod.Type) throws(RegistryError) { try registry.register(method) }

  /// All methods, those of the package first.
  public static var all: [any TuningMethod.Type] { registry.entries }

  /// The `peft_type`s of all methods.
  public static var names: [String] { all.map { $0.name } }

  /// The method with a `peft_type`, in whatever case; nil where there is none.
  public static func type(named name: String) -> (any TuningMethod.Type)? { registry[name.uppercased()] }

  /// The keys of all methods' configurations, and those of every method.
  public static var keys: Set<String> { keys(of: all) }

  /// Returns the keys of some methods' configurations, and those of every method.
  package static func keys(of methods: [any TuningMethod.Type]) -> Set<String> {
    methods.reduce(into: ["peft_type", "init_from"]) { keys, method in keys.formUnion(method.keys) }
  }

  /// The method of a recipe's `method:` section, read over the recipe's defaults.
  /// - Throws: `ConfigError` for an unknown method, key, type or value.
  public static func decode(recipe tree: ConfigTree) throws -> any TuningMethod {
    try decode(tree, ignoring: ["peft_type", "init_from", "task_type"], isNeutral: isNeutral) { $0.recipeDefaults }
  }

  /// The method of an adapter's stored configuration, read over PEFT's defaults.
  public static func decode(stored configuration: JSON, from location: String) throws -> any TuningMethod {
    try decode(
      ConfigTree(configuration, file: location), ignoring: ["peft_type", "task_type", "new_tokens"],
      isNeutral: { isNeutral($0, $1) || isWithoutEffect($1) || initialKeys.contains($0) }
    ) { $0.init() }
  }

  private static func decode(
    _ tree: ConfigTree, ignoring keys: Set<String>, isNeutral: (_ key: String, _ value: ConfigTree) -> Bool,
    defaults: (any TuningMethod.Type) -> any TuningMethod
  ) throws -> any TuningMethod {
    let name = tree["peft_type"]?.string ?? "LORA"
    guard let type = type(named: name) else {
      let refusal = RefusedMethod.named(name)
      throw ConfigError(
        location: tree.location(at: ["peft_type"]), path: ["method", "peft_type"],
        problem: refusal.map { "peft_type \($0.name) is not supported: \($0.reason)" } ?? "unknown peft_type \"\(name)\"",
        advice: refusal?.advice ?? NearestName.advice(for: name, among: names))
    }
    func decoded<Method: TuningMethod>(_ method: Method) throws -> any TuningMethod {
      let known = Set(try ConfigTree(encoding: method).mapping?.keys ?? [])
      var mapping = ConfigMapping()
      for entry in tree.mapping?.entries ?? [] where !keys.contains(entry.key) && !PEFTDirectory.descriptiveKeys.contains(entry.key) {
        if !known.contains(entry.key) {
          if isNeutral(entry.key, entry.value) { continue }
          if let refusal = RefusedKey.named(entry.key) {
            throw ConfigError(
              location: tree.location(at: [entry.key]), path: ["method", entry.key], problem: "\(entry.key) is not supported: \(refusal.reason)",
              advice: refusal.advice)
          }
        }
        mapping[entry.key] = entry.value
      }
      return try ConfigTree(.mapping(mapping), location: tree.location).decoded(over: method, at: ["method"])
    }
    return try decoded(defaults(type))
  }

  /// Returns true for a key that PEFT writes for every adapter and that has no effect here, with a value under which it has none in PEFT.
  private static func isNeutral(_ key: String, _ value: ConfigTree) -> Bool {
    if ["megatron_core", "qalora_group_size", "fan_in_fan_out"].contains(key) { return true }
    return peftKeys.contains(key) && isWithoutEffect(value)
  }

  /// Returns true for a value that switches nothing on. A file from another program, or another version, may hold keys with such values that we do
  /// not know.
  private static func isWithoutEffect(_ value: ConfigTree) -> Bool {
    value.isNull || value.bool == false || value.string == "" || value.mapping?.isEmpty == true || value.sequence?.isEmpty == true
  }

  /// The keys that only say how an adapter was to start, or that are without effect on bases that are not GPTQ's.
  private static let initialKeys: Set<String> = ["corda_config", "eva_config", "loftq_config", "lora_ga_config", "use_qalora"]

  private static let peftKeys: Set<String> = [
    "alora_invocation_tokens", "arrow_config", "corda_config", "ensure_weight_tying", "eva_config", "kasa_config", "layer_replication",
    "loftq_config", "lora_ga_config", "megatron_config", "monteclora_config", "target_parameters", "trainable_token_indices",
    "lora_bias", "use_bdlora", "use_dora", "use_qalora", "velora_config",
  ]
}

extension TuningMethod {
  /// The keys of the method's configuration.
  fileprivate static var keys: [String] { (try? ConfigTree(encoding: recipeDefaults))?.mapping?.keys ?? [] }
}
