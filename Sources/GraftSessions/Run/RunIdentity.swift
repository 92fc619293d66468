import GraftCheckpoints
import GraftConfiguration
import GraftDatasets
import GraftFiles
import GraftJSON
import GraftRecipes

/// The identity of a run: its recipe, its examples and its base. Checkpoints and summaries carry it.
package struct RunIdentity {
  var recipe: Recipe
  /// The SHA-256 of the records trained on; nil where an earlier version did not note it.
  var trainSHA256: String?
  /// That of the records held out.
  var evaluationSHA256: String?
  var base: BaseFingerprint?

  /// The part of the identity that JSON keeps besides the recipe and the base.
  var json: JSON {
    [
      "train_sha256": trainSHA256.map(JSON.string) ?? .null, "evaluation_sha256": evaluationSHA256.map(JSON.string) ?? .null,
      "base_sha256": base?.weightsSHA256.map(JSON.string) ?? .null,
    ]
  }

  /// The differences between this run and an earlier part of it, one clause each; none where it may go on.
  func differences(from earlier: RunIdentity) throws -> [String] {
    var differences = try recipe.differences(from: earlier.recipe).filter { !Self.mayChange($0.key) }.map { difference in
      "\(difference.key) is \(difference.value) instead of \(difference.other)"
    }
    if let mine = trainSHA256, let theirs = earlier.trainSHA256, Self.areOthers(mine, than: theirs) {
      differences.append("data.train holds other examples")
    }
    if let mine = base, let theirs = earlier.base { differences += theirs.differences(from: mine).map { "model: \($0)" } }
    return differences
  }

  /// Records of a file that is not in memory are told by the file's bytes, and by what they say otherwise: the two cannot be compared.
  private static func areOthers(_ mine: String, than theirs: String) -> Bool {
    mine != theirs && mine.hasPrefix(RecordList.fileMark) == theirs.hasPrefix(RecordList.fileMark)
  }

  /// Returns true for a key that decides only how long is trained, and what is logged, evaluated and saved.
  package static func mayChange(_ key: String) -> Bool { changeable.contains { key == $0 || key.hasPrefix($0 + ".") } }

  private static let changeable = [
    "training.max_steps", "training.num_epochs", "training.logging_steps", "training.eval_steps", "training.save_steps", "training.save_total_limit",
    "training.early_stopping_patience", "training.load_best_model_at_end", "training.metric_for_best_model", "training.greater_is_better",
    "data.eval", "data.forgetting", "report", "output_dir",
  ]
}
