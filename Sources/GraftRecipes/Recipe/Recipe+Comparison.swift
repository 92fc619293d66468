import GraftConfiguration

extension Recipe {
  /// One line of a comparison: what differs from the recipe's own `method` and `training`.
  public struct ComparedMethod: Codable, Sendable, Equatable {
    public var name: String
    public var method: ConfigTree
    /// Keys of `training:` that differ for this method.
    public var training: ConfigTree?
    /// The learning rates to try.
    public var learningRates: [Double]?

    public init(name: String, method: ConfigTree, training: ConfigTree? = nil, learningRates: [Double]? = nil) {
      self.name = name
      self.method = method
      self.training = training
      self.learningRates = learningRates
    }

    enum CodingKeys: String, CodingKey {
      case name, method, training
      case learningRates = "learning_rates"
    }
  }

  /// One run of a comparison.
  public struct ComparedRun: Sendable, Equatable {
    public var name: String
    public var seed: Int
    /// The one being tried, where there is a choice.
    public var learningRate: Double?
    /// The recipe of this run alone.
    public var recipe: Recipe
  }

  /// Seeds of a comparison that names none.
  public static let defaultSeeds = [0, 1, 2]

  /// The runs of a comparison: every method, with every learning rate listed for it, under every seed.
  ///
  /// - Throws: `ConfigError` when there are no methods or a method's `training` does not fit.
  public func comparedRuns() throws -> [ComparedRun] {
    guard let methods, !methods.isEmpty else {
      throw ConfigError(
        location: nil, path: ["methods"], problem: "there is nothing to compare",
        advice: "add methods: with a list of {name, method}")
    }
    return try methods.enumerated().flatMap { index, compared in
      let own = try recipe(of: compared, at: index)
      let rates = compared.learningRates ?? learningRates
      return (rates.map { $0.map(Optional.some) } ?? [nil]).flatMap { rate in
        (seeds ?? Self.defaultSeeds).map { seed in
          var run = ComparedRun(name: compared.name, seed: seed, learningRate: rate, recipe: own)
          run.recipe.training.seed = seed
          run.recipe.training.learningRate = rate ?? own.training.learningRate
          return run
        }
      }
    }
  }

  private func recipe(of compared: ComparedMethod, at index: Int) throws -> Recipe {
    var recipe = self
    (recipe.methods, recipe.seeds, recipe.learningRates) = (nil, nil, nil)
    recipe.method = compared.method
    guard let overrides = compared.training else { return recipe }
    for pair in Recipe.exclusiveTrainingKeys {
      // What a method sets takes the place of the other way to say it.
      if overrides[pair.0] != nil { recipe.training.clear(pair.1) }
      if overrides[pair.1] != nil { recipe.training.clear(pair.0) }
    }
    let path = ["methods", "\(index)", "training"]
    recipe.training = try overrides.decoded(over: recipe.training, at: path)
    recipe.training.resolve()
    if let problem = recipe.training.problems().first {
      let key = problem.path.last ?? ""
      throw ConfigError(
        location: overrides.location(at: [key]), path: path + [key], problem: problem.problem, advice: problem.advice)
    }
    return recipe
  }
}
