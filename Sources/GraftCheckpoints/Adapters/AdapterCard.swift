import GraftJSON

/// The `README.md` beside an adapter in PEFT's format: front matter that hubs read, and what a reader wants to know.
enum AdapterCard {
  /// - Parameters:
  ///   - base: the base model's repository or directory.
  ///   - labels: the content of `label_names.json`.
  static func text(of adapter: StoredAdapter, base: String?, labels: JSON?) -> String {
    var lines = ["---"]
    if let base { lines.append("base_model: \(JSON.string(base).serialized())") }
    lines.append("library_name: peft")
    if let pipeline = pipelines[adapter.taskType ?? ""] { lines.append("pipeline_tag: \(pipeline)") }
    lines += ["tags:", "- \(adapter.peftType.lowercased())", "- graft"]
    if let base, !base.hasPrefix("/") { lines.append("- \(JSON.string("base_model:adapter:" + base).serialized())") }
    lines += ["---", "", "# \(adapter.peftType) adapter", ""]
    lines.append("Made with graft: \(adapter.parameterCount) values" + (base.map { " for `\($0)`." } ?? "."))
    if let names = labels?["labels"]?.array?.compactMap(\.string) {
      lines += ["", "## Labels", "", "In the order of the classifier's outputs; `label_names.json` has them too.", ""]
      lines += names.enumerated().map { "\($0.offset). `\($0.element)`" }
    }
    return lines.joined(separator: "\n") + "\n"
  }

  private static let pipelines = [
    "CAUSAL_LM": "text-generation", "SEQ_2_SEQ_LM": "text2text-generation", "SEQ_CLS": "text-classification", "TOKEN_CLS": "token-classification",
  ]
}
