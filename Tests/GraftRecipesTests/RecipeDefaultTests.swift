import Foundation
import GraftAdapters
import GraftConfiguration
import GraftRecipes
import GraftTestSupport
import Testing

/// The default of every key there is, as stored in `Fixtures`: a change is made there as well, on purpose.
@Suite struct RecipeDefaultTests {
  private func requireEqual(_ found: String, _ name: String) throws {
    let stored = try Fixtures("GraftRecipesTests").text(name)
    let (new, old) = (found.split(separator: "\n"), stored.split(separator: "\n"))
    for line in new.difference(from: old) {
      switch line {
      case .insert(let at, let text, _): Issue.record("\(name): line \(at + 1) is new: \(text)")
      case .remove(let at, let text, _): Issue.record("\(name): line \(at + 1) is gone: \(text)")
      }
    }
    #expect(new.count > 20)
  }

  @Test func everyKeyHasItsDefault() throws {
    try requireEqual(try ConfigTree(encoding: Recipe()).rendered(), "recipe-defaults.yaml")
  }

  /// The defaults of a recipe, and those of an adapter that PEFT has written, where they differ.
  @Test func everyKeyOfEveryMethodHasItsDefault() throws {
    func rendered<Method: TuningMethod>(_ method: Method.Type) throws -> String {
      let recipe = try ConfigTree(encoding: Method.recipeDefaults).rendered()
      let stored = try ConfigTree(encoding: Method()).rendered()
      return "# \(Method.name)\n" + (recipe == "{}\n" ? "" : recipe) + (recipe == stored ? "" : "# \(Method.name), as stored\n" + stored)
    }
    let methods = MethodCatalog.builtIn
    let text = try methods.map { try rendered($0) }.joined()
    try requireEqual(text, "method-defaults.yaml")
  }
}
