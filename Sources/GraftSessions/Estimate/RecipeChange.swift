import GraftRecipes

/// A change of a recipe after which its run takes less memory.
enum RecipeChange: CaseIterable {
  case precision, quantization, recomputation, accumulation
  /// All of the others together.
  case everything

  /// All changes, the mildest first.
  static var all: [RecipeChange] { allCases }

  /// Returns the changed recipe; nil where it says so already.
  func applied(to recipe: Recipe) -> Recipe? {
    var changed = recipe
    switch self {
    case .precision:
      guard recipe.training.precision == .fp32 else { return nil }
      changed.training.precision = .bf16
    case .quantization:
      guard recipe.model.quantization == .none else { return nil }
      changed.model.quantization = .init(quantization: .nf4)
    case .recomputation:
      guard !recipe.training.gradientCheckpointing else { return nil }
      changed.training.gradientCheckpointing = true
    case .accumulation:
      guard recipe.training.batchSize > 1 else { return nil }
      changed.training.gradientAccumulationSteps *= recipe.training.batchSize
      changed.training.batchSize = 1
    case .everything:
      let others = Self.allCases.filter { $0 != .everything && $0.applied(to: recipe) != nil }
      // What is trained cannot be quantized.
      let possible = others.filter { $0 != .quantization || (try? RunSettings($0.applied(to: recipe) ?? recipe)) != nil }
      guard possible.count > 1 else { return nil }
      for change in possible { changed = change.applied(to: changed) ?? changed }
    }
    return changed
  }

  /// The change as a recipe says it.
  /// - Parameter recipe: the changed one.
  func words(_ recipe: Recipe) -> String {
    let training = recipe.training
    return switch self {
    case .precision: "training.precision: \(training.precision.rawValue)"
    case .quantization: "model.quantization: \(recipe.model.quantization.rawValue)"
    case .recomputation: "training.gradient_checkpointing: true"
    case .accumulation:
      "training.batch_size: \(training.batchSize) with training.gradient_accumulation_steps: \(training.gradientAccumulationSteps)"
    case .everything: "all of these"
    }
  }
}
