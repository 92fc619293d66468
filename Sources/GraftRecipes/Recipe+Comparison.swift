import GraftAdapters
import GraftConfiguration

extension Recipe {
  /// One line of a comparison: what differs from the recipe's own `model`, `method` and `training`.
  public struct ComparedMethod: Codable, Sendable, Equatable {
    /// The name in results.
    public var name: String
    /// The `method:` section.
    public var method: ConfigTree
    /// Keys of `model:` that differ for this method, such as `config`.
    public var model: ConfigTree?
    /// Keys of `training:` that differ for this method.
    public var training: ConfigTree?
    /// The learning rates to try.
    public var learningRates: [Double]?

    /// - Parameters:
    ///   - method: the `method:` section.
    ///   - model: keys of `model:` that differ for this method.
    ///   - training: keys of `training:` that differ for this method.
    public init(
      name: String, method: ConfigTree, model: ConfigTree? = nil, training: ConfigTree? = nil, learningRates: [Double]? = nil
    ) {
      self.name = name
      self.method = method
      self.model = model
      self.training = training
      self.learningRates = learningRates
    }
  }

  /// A method of a comparison with what is to be tried for it.
  public struct PlannedMethod: Sendable, Equatable {
    /// The name in results.
    public var name: String
    /// The key and the value that place it on a curve, where a key of the method was given a list.
    public var swept: ComparedMethod.SweptKey?
    /// The learning rates to choose from; empty where there is no choice.
    public var learningRates: [Double]
    /// The recipe of this method alone, under the first seed.
    public var recipe: Recipe

    /// The recipe under another seed, or with one of the learning rates.
    public func recipe(seed: Int, learningRate: Double? = nil) -> Recipe {
      var recipe = recipe
      recipe.training.seed = seed
      recipe.training.learningRate = learningRate ?? recipe.training.learningRate
      return recipe
    }
  }

  /// Seeds of a comparison that names none.
  public static let defaultSeeds = [0, 1, 2]

  /// The methods of a comparison, one for every value of a key with a list.
  ///
  /// - Throws: `ConfigError` when there are no methods, one is not known, has a key that is not, or a method's `training` does not fit.
  public func plannedMethods() throws -> [PlannedMethod] {
    guard let methods, !methods.isEmpty else {
      throw ConfigError(
        location: nil, path: ["methods"], problem: "there is nothing to compare",
        advice: "add methods: with a list of {name, method}")
    }
    return try methods.enumerated().flatMap { index, compared in
      try compared.expanded(at: index).map { method, swept in
        var own = try recipe(of: method, at: index)
        own.training.seed = (seeds ?? Self.defaultSeeds)[0]
        // A misspelt key is better known before the first run than after the last.
        _ = try MethodCatalog.decode(recipe: method.method)
        return PlannedMethod(name: method.name, swept: swept, learningRates: method.learningRates ?? learningRates ?? [], recipe: own)
      }
    }
  }

  private func recipe(of compared: ComparedMethod, at index: Int) throws -> Recipe {
    var recipe = self
    (recipe.methods, recipe.seeds, recipe.learningRates, recipe.fewShot, recipe.comparisonKey) = (nil, nil, nil, nil, nil)
    recipe.method = compared.method
    if let overrides = compared.model { recipe.model = try model(overrides, at: ["methods", "\(index)", "model"]) }
    guard let overrides = compared.training else { return recipe }
    for pair in Recipe.exclusiveTrainingKeys {
      // What a method sets takes the place of the other way to say it.
      if overrides[pair.0] != nil { recipe.training.clear(pair.1) }
      if overrides[pair.1] != nil { recipe.training.clear(pair.0) }
    }
    let path = ["methods", "\(index)", "training"]
    recipe.training = try overrides.decoded(over: recipe.training, at: path)
    recipe.remarks += recipe.training.settlePrecedence()
    recipe.training.resolve()
    if let problem = recipe.training.problems().first {
      let key = problem.path.last ?? ""
      throw ConfigError(
        location: overrides.location(at: [key]), path: path + [key], problem: problem.problem, advice: problem.advice)
    }
    return recipe
  }

  /// The recipe's model with what differs for one method.
  private func model(_ overrides: ConfigTree, at path: [String]) throws -> Model {
    var model = model
    // What a method names takes the place of the other way to say it.
    if overrides["config"] != nil { model.path = nil }
    if overrides["path"] != nil { model.config = nil }
    model = try overrides.decoded(over: model, at: path)
    if let problem = model.problems().first {
      let keys = Array(problem.path.dropFirst())
      throw ConfigError(location: overrides.location(at: keys), path: path + keys, problem: problem.problem, advice: problem.advice)
    }
    return model
  }
}
