import GraftJSON

/// The keys of AdapterHub's bottleneck configurations that no adapter here departs from, with the only values that are
/// understood.
///
/// Keys that the method itself understands are passed through in both directions.
enum AdapterHubConfiguration {
  /// The keys that change the arithmetic, with the values that are supported.
  private static let fixed: JSONObject = [
    "original_ln_after": true, "ln_before": false, "ln_after": false, "residual_before_ln": true,
    "adapter_residual_before_ln": false, "inv_adapter": .null, "cross_adapter": false, "use_gating": false,
    "stochastic_depth": 0.0,
  ]
  /// The keys that change the arithmetic of parameterised hypercomplex layers, with the values that are supported.
  private static let fixedHypercomplex: JSONObject = [
    "factorized_phm_W": true, "shared_W_phm": false, "factorized_phm_rule": false, "learn_phm": true, "phm_bias": true,
  ]
  /// The keys that only concern initial values.
  private static let initial: JSONObject = [
    "inv_adapter_reduction_factor": .null, "init_weights_seed": .null, "hypercomplex_nonlinearity": "glorot-uniform",
  ]

  /// The names of activations in configurations from before `adapters` had a version.
  private static let oldActivations = ["gelu": "gelu_new", "gelu_orig": "gelu"]
  /// The former names of stock configurations.
  private static let oldNames = ["pfeiffer": "seq_bn", "houlsby": "double_seq_bn", "parallel": "par_bn", "scaled_parallel": "scaled_par_bn"]

  /// The keys that the method understands, of a configuration from AdapterHub.
  ///
  /// - Parameters:
  ///   - json: the configuration, or the name of a stock one.
  ///   - isOld: true where the file names no version.
  ///   - location: the file, for messages.
  /// - Throws: `CheckpointError` of kind `unsupported` for another method or value, `malformed` for neither.
  static func method(_ json: JSON?, isOld: Bool, location: String) throws(CheckpointError) -> JSON {
    if let name = json?.string { return ["config": .string(oldNames[name] ?? name)] }
    guard let given = json?.object else { throw .malformed(location, "has no config of a method") }
    if let architecture = given["architecture"]?.string {
      throw CheckpointError(
        .unsupported, location, "is a \(architecture) adapter of AdapterHub, of which only bottleneck adapters are read",
        remedy: "train it with PEFT's method of that name instead")
    }
    let usesHypercomplexLayers = given["phm_layer"]?.bool == true
    var method = JSONObject()
    for (key, value) in given {
      if let only = fixed[key] ?? (usesHypercomplexLayers ? fixedHypercomplex[key] : nil) {
        guard value == only else {
          throw CheckpointError(
            .unsupported, location, "\(key) is \(value.serialized()), of which only \(only.serialized()) is supported")
        }
      } else if initial.contains(key) || key.contains("phm") && !usesHypercomplexLayers {
        continue
      } else if key == "init_weights", value.string == "houlsby" {
        continue
      } else {
        method[key] = value
      }
    }
    if isOld, let name = method["non_linearity"]?.string { method["non_linearity"] = .string(oldActivations[name] ?? name) }
    return .object(method)
  }

  /// The complete key set, sorted.
  static func complete(_ method: JSON) -> JSON {
    var whole = JSONObject()
    for part in [fixed, fixedHypercomplex, initial, method.object ?? [:]] {
      for (key, value) in part { whole[key] = value }
    }
    return .object(JSONObject(whole.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }))
  }
}
