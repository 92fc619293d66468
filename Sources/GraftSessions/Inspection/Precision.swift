import GraftRecipes
import GraftTensors

extension Recipe.PrecisionName {
  /// Runs `body` with products of this precision.
  public func run<R, E: Error>(_ body: () throws(E) -> R) throws(E) -> R { try Execution(arithmetic: arithmetic).run(body) }
}
