import GraftCheckpoints
import GraftConfiguration
import GraftFiles
import GraftJSON
import GraftRecipes

/// The name of a run among those of a comparison: a hash of all that determines its result.
///
/// Of a recipe only what differs from the defaults goes into it, so that finished runs keep their names when recipes gain keys.
package enum RunKey {
  /// The part of a run in a comparison.
  package enum Role: String {
    case baseline, run
    /// A run that only serves to choose a learning rate.
    case trial
  }

  /// - Parameters:
  ///   - recipe: that of the run alone; of a baseline, that of the comparison.
  ///   - digest: the hash of the examples and the base.
  package static func of(_ role: Role, _ recipe: Recipe, digest: String) throws -> String {
    let settings = try determining(recipe, role).differences(from: Recipe()).map { "\($0.key): \($0.value)" }
    return SHA256.hash(([role.rawValue, digest] + settings.sorted()).joined(separator: "\n"))
  }

  /// Returns the key of a record that an earlier version wrote, whose own was a hash of the whole recipe.
  ///
  /// - Parameter recipe: the earlier comparison's.
  /// - Throws: `ConfigError` where the record has keys or values that there are no more.
  package static func of(_ record: ComparisonRecord, in recipe: Recipe, digest: String) throws -> String {
    guard record.status != .baseline else { return try of(.baseline, recipe, digest: digest) }
    var own = recipe
    own.method = record.method.isNull ? fullFineTuning : ConfigTree(record.method)
    var training = record.training
    training["model_id"] = nil
    own.training = try ConfigTree(training).decoded(over: Recipe.Training())
    return try of(record.isTrial ? .trial : .run, own, digest: digest)
  }

  private static let fullFineTuning: ConfigTree = ["peft_type": "FULL"]

  /// Returns the part of a recipe that determines a result.
  private static func determining(_ recipe: Recipe, _ role: Role) -> Recipe {
    var copy = recipe
    (copy.outputDirectory, copy.report) = (nil, Recipe.Report())
    (copy.methods, copy.seeds, copy.learningRates, copy.fewShot) = (nil, nil, nil, nil)
    (copy.training.saveSteps, copy.training.saveTotalLimit) = (nil, Recipe.Training().saveTotalLimit)
    if role == .baseline { copy.method = fullFineTuning }
    copy.method["peft_type"] = .scalar(.string(copy.peftType))
    return copy
  }
}
