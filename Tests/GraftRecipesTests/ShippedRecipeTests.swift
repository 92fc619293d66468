import Foundation
import GraftModels
import GraftRecipes
import GraftTestSupport
import Testing

@Suite struct ShippedRecipeTests {
  static let names = Repository.names(in: "Recipes", endingWith: ".yaml")

  @Test func thereAreSome() { #expect(Self.names.count >= 7) }

  @Test(arguments: names)
  func isValidAndItsFilesAreThere(_ name: String) throws {
    let recipe = try Recipe(file: Repository.file("Recipes/\(name)").path)
    #expect(recipe.outputDirectory == "runs/" + name.dropLast(".yaml".count))
    #expect(try Recipe(yaml: try recipe.rendered(), file: name) == recipe)
    let models = [recipe.model] + (try recipe.methods.map { _ in try recipe.plannedMethods().map(\.recipe.model) } ?? [])
    for type in models.compactMap({ $0.config?["model_type"]?.string }) { #expect(ModelFamily.registry[type] != nil, "\(type)") }
    // What other commands make, as the recipe's head says, is not shipped.
    let paths = [recipe.model.path, recipe.model.tokenizer].compactMap { $0 } + (recipe.data.train?.paths ?? []) + (recipe.data.eval?.paths ?? [])
    for path in paths where !path.hasPrefix("runs/") && !path.hasPrefix("Data/generated/") {
      #expect(FileManager.default.fileExists(atPath: Repository.file(path).path), "\(path)")
    }
  }

  /// The head of a recipe says how to run it.
  @Test(arguments: names)
  func tellsItsCommand(_ name: String) throws {
    let text = try Repository.text("Recipes/\(name)")
    #expect(text.contains("#   graft \(name.hasPrefix("compare-") ? "compare" : "train") Recipes/\(name)\n"))
  }
}
