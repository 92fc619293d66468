import GraftJSON

/// The configurations of AdapterHub's methods, as those of ours that compute the same.
///
/// Keys that a method itself understands are passed through in both directions.
enum AdapterHubConfiguration {
  /// The keys of bottlenecks that change the arithmetic, with the values that are supported.
  private static let fixed: JSONObject = [
    "ln_before": false, "ln_after": false, "adapter_residual_before_ln": false, "cross_adapter": false,
  ]
  /// The keys of bottlenecks whose usual values need not be said.
  private static let usual: JSONObject = [
    "original_ln_after": true, "residual_before_ln": true, "inv_adapter": .null, "use_gating": false, "stochastic_depth": 0.0,
    "inv_adapter_reduction_factor": .null,
  ]
  /// The keys that change the arithmetic of parameterised hypercomplex layers, with the values that are supported.
  private static let fixedHypercomplex: JSONObject = [
    "factorized_phm_W": true, "shared_W_phm": false, "factorized_phm_rule": false, "learn_phm": true, "phm_bias": true,
  ]
  /// The keys that only concern initial values.
  private static let initial: JSONObject = [
    "init_weights_seed": .null, "hypercomplex_nonlinearity": "glorot-uniform",
  ]

  /// The names of activations in configurations from before `adapters` had a version.
  private static let oldActivations = ["gelu": "gelu_new", "gelu_orig": "gelu"]
  /// The former names of stock configurations.
  private static let oldNames = [
    "pfeiffer": "seq_bn", "houlsby": "double_seq_bn", "parallel": "par_bn", "scaled_parallel": "scaled_par_bn",
    "pfeiffer+inv": "seq_bn_inv", "houlsby+inv": "double_seq_bn_inv",
  ]

  /// A method other than bottlenecks: its `peft_type` here, the keys with the only values that are supported, and those without effect on what
  /// a model computes.
  private struct Other {
    let peftType: String
    let fixed: JSONObject
    let ignored: [String]
  }

  private static let others = [
    "reft": Other(peftType: "REFT", fixed: ["output_reft": true, "dtype": .null], ignored: ["init_weights_seed"]),
    // Both prefixes are for the halves of models that the method does not take.
    "prefix_tuning": Other(peftType: "HUB_PREFIX", fixed: [:], ignored: ["init_weights_seed", "encoder_prefix", "cross_prefix"]),
    "lora": Other(
      peftType: "HUB_LORA", fixed: ["composition_mode": "add", "vera_d": .null, "vera_b": .null, "dtype": .null], ignored: ["init_weights_seed"]),
  ]
  /// The names of stock configurations other than bottlenecks, by the method that has them as `config`.
  private static let named = ["loreft": "REFT", "noreft": "REFT", "direft": "REFT", "mam": "UNION", "unipelt": "UNION"]

  /// The method's configuration here, with its `peft_type`, of one from AdapterHub.
  ///
  /// - Parameters:
  ///   - json: the configuration, or the name of a stock one.
  ///   - isOld: true where the file names no version.
  ///   - location: the file, for messages.
  /// - Throws: `CheckpointError` of kind `unsupported` for another method or value, `malformed` for neither.
  static func method(_ json: JSON?, isOld: Bool, location: String) throws(CheckpointError) -> JSON {
    if let name = json?.string {
      return ["peft_type": .string(named[name] ?? AdapterHubDirectory.peftType), "config": .string(oldNames[name] ?? name)]
    }
    guard let given = json?.object else { throw .malformed(location, "has no config of a method") }
    guard let architecture = given["architecture"]?.string else { return try bottleneck(given, isOld: isOld, location: location) }
    guard architecture != "union" else {
      var parts: [JSON] = []
      for part in given["configs"]?.array ?? [] { parts.append(try method(part, isOld: isOld, location: location)) }
      return ["peft_type": "UNION", "configs": .array(parts)]
    }
    guard let other = others[architecture] else {
      throw CheckpointError(
        .unsupported, location, "is a \(architecture) adapter of AdapterHub, which is not read",
        remedy: "train it with PEFT's method of that name instead")
    }
    var method: JSONObject = ["peft_type": .string(other.peftType)]
    for (key, value) in given where key != "architecture" && !other.ignored.contains(key) {
      if let only = other.fixed[key] {
        try require(value, only, of: key, location)
      } else if !(key == "layers" && value == "all") {
        method[key] = value
      }
    }
    return .object(method)
  }

  private static func require(_ value: JSON, _ only: JSON, of key: String, _ location: String) throws(CheckpointError) {
    guard value != only else { return }
    throw CheckpointError(.unsupported, location, "\(key) is \(value.serialized()), of which only \(only.serialized()) is supported")
  }

  private static func bottleneck(_ given: JSONObject, isOld: Bool, location: String) throws(CheckpointError) -> JSON {
    let usesHypercomplexLayers = given["phm_layer"]?.bool == true
    var method: JSONObject = ["peft_type": .string(AdapterHubDirectory.peftType)]
    for (key, value) in given {
      if let only = fixed[key] ?? (usesHypercomplexLayers ? fixedHypercomplex[key] : nil) {
        try require(value, only, of: key, location)
      } else if !(usual[key] == value || initial.contains(key) || key.contains("phm") && !usesHypercomplexLayers) {
        method[key] = value
      }
    }
    if isOld, let name = method["non_linearity"]?.string { method["non_linearity"] = .string(oldActivations[name] ?? name) }
    return .object(method)
  }

  /// The complete key set, sorted.
  static func complete(_ method: JSON) -> JSON {
    if let parts = method["configs"]?.array {
      var union = method
      union["configs"] = .array(parts.map(complete))
      return union
    }
    let isBottleneck = method["architecture"] == nil
    var whole = JSONObject()
    for part in (isBottleneck ? [fixed, usual, fixedHypercomplex, initial] : []) + [method.object ?? [:]] {
      for (key, value) in part { whole[key] = value }
    }
    return .object(JSONObject(whole.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }))
  }
}
