import GraftCheckpoints
import GraftConfiguration
import GraftDatasets
import GraftJSON

/// What makes a run the same run: its recipe, its examples and its base. Checkpoints and summaries carry it.
struct RunIdentity {
  var recipe: Recipe
  /// The SHA-256 of the records trained on; nil where an earlier version did not note it.
  var trainSHA256: String?
  /// That of the records held out.
  var evaluationSHA256: String?
  var base: BaseFingerprint?

  /// What JSON keeps besides the recipe and the base.
  var json: JSON {
    [
      "train_sha256": trainSHA256.map(JSON.string) ?? .null, "evaluation_sha256": evaluationSHA256.map(JSON.string) ?? .null,
      "base_sha256": base?.weightsSHA256.map(JSON.string) ?? .null,
    ]
  }

  /// What differs between this run and an earlier part of it, one clause each; empty where it may go on.
  func differences(from earlier: RunIdentity) throws -> [String] {
    var differences = try recipe.differences(from: earlier.recipe).filter { !Self.mayChange($0.key) }.map { difference in
      "\(difference.key) is \(difference.value) instead of \(difference.other)"
    }
    if let mine = trainSHA256, let theirs = earlier.trainSHA256, mine != theirs { differences.append("data.train holds other examples") }
    if let mine = base, let theirs = earlier.base { differences += theirs.differences(from: mine).map { "model: \($0)" } }
    return differences
  }

  /// Whether a key decides only how long is trained, and what is logged, evaluated and saved.
  static func mayChange(_ key: String) -> Bool { changeable.contains { key == $0 || key.hasPrefix($0 + ".") } }

  private static let changeable = [
    "training.max_steps", "training.num_epochs", "training.logging_steps", "training.eval_steps", "training.save_steps", "training.save_total_limit",
    "training.early_stopping_patience", "training.load_best_model_at_end", "training.metric_for_best_model", "training.greater_is_better",
    "data.eval",
    "data.forgetting", "report", "output_dir",
  ]

  /// The SHA-256 of records' content, wherever they stand.
  static func sha256(of records: [DataRecord]) -> String {
    var hasher = SHA256()
    for record in records { hasher.update(JSON.object(record.fields).serialized() + "\n") }
    return hasher.finalize()
  }
}

extension Recipe {
  /// The dotted keys whose values differ, with both.
  package func differences(from other: Recipe) throws -> [(key: String, value: String, other: String)] {
    func leaves(_ json: JSON, _ path: String) -> [(String, JSON)] {
      guard let members = json.object, !members.isEmpty else { return [(path, json)] }
      return members.flatMap { leaves($0.value, path.isEmpty ? $0.key : "\(path).\($0.key)") }
    }
    let mine = leaves(try ConfigTree(encoding: self).json, "")
    let theirs = leaves(try ConfigTree(encoding: other).json, "")
    let known = Dictionary(theirs) { first, _ in first }
    let own = Set(mine.map(\.0))
    func text(_ value: JSON?) -> String { value.map { $0.isNull ? "not given" : $0.serialized() } ?? "not given" }
    let changed = mine.filter { text(known[$0.0]) != text($0.1) && known[$0.0] != $0.1 }
    let missing = theirs.filter { !own.contains($0.0) && !$0.1.isNull }
    return changed.map { (key: $0.0, value: text($0.1), other: text(known[$0.0])) } + missing.map { (key: $0.0, value: text(nil), other: text($0.1)) }
  }
}
