import GraftAdapters
import GraftJSON
import GraftLayers
import GraftModels
import GraftTestSupport
import Testing

/// `Documentation/Families.md` tells of every family what the code says of it.
@Suite("The page on families") struct FamilyPageTests {
  private static let page = Result { try Repository.text("Documentation/Families.md") }
  private static let families = ModelFamily.registry.names.sorted()

  /// The modules that LoRA adapts where nothing names them.
  private static func targets(_ modelType: String) throws -> [String] {
    let catalog = try AnyFamily.build(modelType).catalog
    // A family without a default says so.
    guard let delta = try? Delta(try MethodCatalog.decode(stored: ["peft_type": "LORA"], from: "test"), on: catalog) else { return [] }
    return Set(delta.modules.compactMap { $0.path.split(separator: ".").last.map(String.init) }).sorted()
  }

  /// The line of the table of what there is.
  private static func row(_ modelType: String) throws -> String {
    let family = try #require(ModelFamily.registry[modelType])
    let tasks = family.tasks.map { "`\($0.rawValue)`" }.joined(separator: ", ")
    let targets = try targets(modelType).map { "`\($0)`" }.joined(separator: ", ")
    let architecture = family.architecture(for: family.tasks[0]).map { "`\($0)`" } ?? ""
    return "| [`\(modelType)`](#\(modelType)) | \(architecture) | \(tasks) | \(targets) | \(family.gguf.map { "`\($0.name)`" } ?? "") |"
  }

  /// The lines of a table behind its heading.
  private func table(_ heading: String) throws -> [String] {
    let rest = try Self.page.get().components(separatedBy: "\n## \(heading)\n").dropFirst().first
    let section = try #require(rest?.components(separatedBy: "\n## ").first)
    return section.split(separator: "\n").filter { $0.hasPrefix("| ") && !$0.hasPrefix("| ---") }.dropFirst().map(String.init)
  }

  @Test func theTableIsTheCodes() throws {
    #expect(try table("What there is") == Self.families.map(Self.row))
  }

  /// Every family was measured, with the parameters that its model and its adapter have.
  @Test func everyFamilyHasItsCost() throws {
    let rows = try table("What it costs").map { $0.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) } }
    #expect(rows.map(\.[0]) == Self.families.map { "`\($0)`" })
    let shapes = try #require(try JSON(parsing: Repository.text("Scripts/families.json")).object)
    #expect(Set(shapes.keys) == Set(Self.families))
    for row in rows {
      try #require(row.count == 5 && row[1].hasSuffix(" M") && row[2].hasSuffix(" k"), "\(row)")
      let name = String(row[0].dropFirst().dropLast())
      let found = try Self.parameters(of: name, #require(shapes[name]))
      #expect(abs((Double(row[1].dropLast(2)) ?? .nan) - Double(found.total) / 1e6) < 0.00501, "\(row)")
      #expect(abs((Double(row[2].dropLast(2)) ?? .nan) - Double(found.trained) / 1e3) < 0.501, "\(row)")
    }
    #expect(try Self.page.get().contains("a vocabulary of 1,442,") && shapes.allSatisfy { $0.value["vocab_size"]?.int == 1442 })
  }

  /// The parameters of a model with LoRA of rank 8, and those of LoRA alone.
  private static func parameters(of modelType: String, _ shape: JSON) throws -> (total: Int, trained: Int) {
    let family = try #require(ModelFamily.registry[modelType])
    let configuration = ArchitectureConfiguration(shape.setting(["model_type": .string(modelType)]), source: modelType)
    let model = try family.build(ModelRequest(configuration, task: family.tasks[0]), in: Scope(source: nil, catalog: SiteCatalog()))
    let count = model.catalog.parameterCount
    let delta = try Delta(MethodCatalog.decode(recipe: ["peft_type": "LORA", "r": 8]), on: model.catalog)
    return (count + delta.parameterCount, delta.parameterCount)
  }

  /// A family's section has its paper and its equation, and names files with what stands in them.
  @Test(arguments: families) func everyFamilyHasItsSection(_ modelType: String) throws {
    let section = try #require(
      try Self.page.get().components(separatedBy: "\n### \(modelType)\n").dropFirst().first?.components(separatedBy: "\n### ").first)
    #expect(section.contains("```text\n"))
    #expect(section.contains("](https://") || modelType == "glm4")
    let places = section.matches(of: /`(Sources\/[^`]+\.swift)` \(`([^`]+)`\)/)
    #expect(places.first?.output.1.hasPrefix("Sources/GraftModels/Families/") == true)
    for place in places { #expect(try Repository.text(String(place.output.1)).contains(place.output.2), "\(place.output.0)") }
  }
}
