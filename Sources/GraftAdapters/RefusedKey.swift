/// A key of a method of PEFT's that is not to be had here, with the reason.
struct RefusedKey {
  /// The key of `adapter_config.json`.
  let name: String
  /// Why not, and what to do instead.
  let reason: String, advice: String

  /// The key with a name; nil for any that is not refused.
  static func named(_ name: String) -> RefusedKey? { all.first { $0.name == name } }

  static let all = [
    RefusedKey(
      name: "arrow_config", reason: "it chooses for every token among other adapters, which its own file does not hold",
      advice: "give several adapters with weights, or combine them"),
    RefusedKey(
      name: "layer_replication", reason: "it adds layers to the base before anything is adapted",
      advice: "write the base with its layers repeated as a checkpoint of its own, and adapt that"),
    RefusedKey(
      name: "use_qalora", reason: "it pools the inputs of GPTQ's matrices, which are not read here, and is without effect on all others",
      advice: "leave it out"),
  ]
}
