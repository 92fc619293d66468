import Foundation
import GraftModels
import GraftRecipes
import Testing

@Suite struct ShippedRecipeTests {
  private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()

  static let names = ((try? FileManager.default.contentsOfDirectory(atPath: root.appending(path: "Recipes").path)) ?? [])
    .filter { $0.hasSuffix(".yaml") }.sorted()

  @Test func thereAreSome() { #expect(Self.names.count >= 7) }

  @Test(arguments: names)
  func isValidAndItsFilesAreThere(_ name: String) throws {
    let recipe = try Recipe(file: Self.root.appending(path: "Recipes/\(name)").path)
    #expect(recipe.outputDirectory == "runs/" + name.dropLast(".yaml".count))
    #expect(try Recipe(yaml: try recipe.rendered(), file: name) == recipe)
    if let type = recipe.model.config?["model_type"]?.string { #expect(ModelFamily.registry[type] != nil) }
    // What other commands make, as the recipe's head says, is not shipped.
    let paths = [recipe.model.path, recipe.model.tokenizer].compactMap { $0 } + (recipe.data.train?.paths ?? []) + (recipe.data.eval?.paths ?? [])
    for path in paths where !path.hasPrefix("runs/") && !path.hasPrefix("Data/generated/") {
      #expect(FileManager.default.fileExists(atPath: Self.root.appending(path: path).path), "\(path)")
    }
  }

  /// The head of a recipe says how to run it.
  @Test(arguments: names)
  func tellsItsCommand(_ name: String) throws {
    let text = try String(contentsOf: Self.root.appending(path: "Recipes/\(name)"), encoding: .utf8)
    #expect(text.contains("#   graft \(name.hasPrefix("compare-") ? "compare" : "train") Recipes/\(name)\n"))
  }
}
