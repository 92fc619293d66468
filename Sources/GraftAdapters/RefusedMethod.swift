/// A method of PEFT's that is not to be had here, with the reason.
struct RefusedMethod {
  /// The `peft_type`.
  let name: String
  /// Why not, and what to take instead.
  let reason: String, advice: String

  /// The method with a `peft_type`, in whatever case; nil for any that is not refused.
  static func named(_ name: String) -> RefusedMethod? { all.first { $0.name == name.uppercased() } }

  static let all = [
    RefusedMethod(
      name: "ADAMSS", reason: "its clusters of rows are not in its files, but found again by scikit-learn when they are read",
      advice: "take LORA or GRALORA"),
    RefusedMethod(
      name: "CPT", reason: "it trains the tokens of given examples with a loss over these, for which a recipe has no place",
      advice: "take PROMPT_TUNING"),
    RefusedMethod(
      name: "FROD", reason: "it decomposes all weights of a kind together, and solves with the result for each of them whenever it is read",
      advice: "take VERA or RANDLORA"),
    RefusedMethod(
      name: "OSF", reason: "it takes the whole singular value decomposition of every weight whenever it is read", advice: "take LORA, or FULL"),
    RefusedMethod(
      name: "POLY", reason: "it mixes its parts by the task of an example, which data files do not say", advice: "take LORA, one adapter a task"),
    RefusedMethod(
      name: "PSOFT", reason: "it turns singular vectors whose signs are not in its files, and differ between the libraries that find them",
      advice: "take OFT, or LORA with init_lora_weights pissa"),
    RefusedMethod(
      name: "SHADOW", reason: "it trains a second model beside the base, with a loss of its own", advice: "take LORA or ADAPTER"),
    RefusedMethod(
      name: "XLORA", reason: "it reads every input twice to weigh adapters, and PEFT leaves a layer of what weighs them out of the file",
      advice: "combine the adapters with graft combine, or give several to --adapter"),
  ]
}
