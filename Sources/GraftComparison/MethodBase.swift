import GraftRecipes
import GraftSessions
import GraftTensors

/// The base of a method: the one that is in memory, or one of its own, which is built when a run first needs it.
final class MethodBase {
  /// True for the base of the first method.
  let isShared: Bool
  /// The SHA-256 of a base of its own, by which its runs are told from others; empty where the comparison's digest has it.
  let digest: String
  private let build: () throws -> TrainableBase
  private var built: Result<TrainableBase, any Error>?
  /// The bytes of tensors that were in use before it was built: other bases, which its runs have no need of.
  private(set) var bytesBeside = 0

  init(sharing base: TrainableBase) {
    (isShared, digest) = (true, "")
    build = { base }
  }

  /// - Parameter digest: the SHA-256 of its weights; empty where they are random.
  init(digest: String, _ build: @escaping () throws -> TrainableBase) {
    (isShared, self.digest, self.build) = (false, digest, build)
  }

  /// - Throws: why there is no such base, to every run that asks.
  func get() throws -> TrainableBase {
    if let built { return try built.get() }
    if !isShared { bytesBeside = BufferPool.shared.statistics.bytesInUse }
    let base = Result(catching: build)
    built = base
    return try base.get()
  }
}

extension Recipe.PlannedMethod {
  /// True for a method whose base is built as this one's: from the same model, with the same losses of routers.
  package func hasBase(of other: Recipe.PlannedMethod) -> Bool {
    let (mine, others) = (recipe.training, other.recipe.training)
    return recipe.model == other.recipe.model
      && mine.routerAuxLossCoef == others.routerAuxLossCoef && mine.routerZLossCoef == others.routerZLossCoef
  }

  /// The format that a base's frozen weights have for all methods on it: their own where they agree, float32 where they do not.
  package func frozenFormat(among methods: [Recipe.PlannedMethod]) -> ElementFormat {
    let formats = Set(methods.filter(hasBase).compactMap { try? RunSettings($0.recipe).frozenFormat })
    return formats.count == 1 ? formats.first ?? .float32 : .float32
  }
}
