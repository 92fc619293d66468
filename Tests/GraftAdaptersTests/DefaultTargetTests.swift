import Foundation
import GraftAdapters
import GraftJSON
import GraftLayers
import GraftModels
import GraftTensors
import Testing

/// The modules that are adapted where a configuration names none are those of PEFT's tables, in every family that they list.
@Suite struct DefaultTargetTests {
  /// PEFT's tables, as `Scripts/make-default-targets.py` writes them.
  private static let tables: JSON =
    (try? JSON(parsing: Data(contentsOf: URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Fixtures/default-targets.json"))))
    ?? .null

  /// The families that one of the tables lists.
  private static func families(in table: String) -> [String] {
    ModelFamily.registry.names.filter { tables[table]?[$0] != nil }
  }

  private func names(_ table: String, _ modelType: String) -> [String] {
    (Self.tables[table]?[modelType]?.array ?? []).compactMap(\.string)
  }

  /// The sites whose paths end with one of the names, as PEFT matches them.
  private func paths(_ sites: [Site], endingWith names: [String]) -> Set<String> {
    Set(sites.map(\.path).filter { path in names.contains { path == $0 || path.hasSuffix("." + $0) } })
  }

  private func delta(_ peftType: String, on catalog: SiteCatalog) throws -> Delta {
    try Delta(try MethodCatalog.decode(stored: ["peft_type": .string(peftType)], from: "test"), on: catalog)
  }

  @Test(arguments: families(in: "lora"))
  func `LoRA adapts PEFT's modules`(_ modelType: String) throws {
    let catalog = try AnyFamily.build(modelType).catalog
    let expected = paths(catalog.sites.filter { $0.linear != nil }, endingWith: names("lora", modelType))
    #expect(!expected.isEmpty)
    #expect(Set(try delta("LORA", on: catalog).modules.map(\.path)) == expected)
  }

  @Test(arguments: families(in: "ia3"))
  func `IA3 scales PEFT's modules`(_ modelType: String) throws {
    let catalog = try AnyFamily.build(modelType).catalog
    let linears = catalog.sites.filter { $0.linear != nil }
    let expected = paths(linears, endingWith: names("ia3", modelType))
    let expectedAtInput = paths(linears, endingWith: names("ia3 feed-forward", modelType)).intersection(expected)
    #expect(!expected.isEmpty)
    let delta = try delta("IA3", on: catalog)
    #expect(Set(delta.modules.map(\.path)) == expected)
    // One factor for each input is a row, one for each output a column.
    let rows = try delta.stored(taskType: nil).tensors.filter { $0.tensor.shape[0] == 1 }
    #expect(Set(rows.map { $0.name.replacing("base_model.model.", with: "").replacing(".ia3_l", with: "") }) == expectedAtInput)
  }

  @Test(arguments: families(in: "norms"))
  func `norm tuning trains PEFT's modules`(_ modelType: String) throws {
    let catalog = try AnyFamily.build(modelType).catalog
    let expected = paths(catalog.sites.filter { $0.norm != nil }, endingWith: names("norms", modelType))
    #expect(!expected.isEmpty)
    let trained = try delta("LN_TUNING", on: catalog).modules.map { $0.path.replacing(/\.(weight|bias)$/, with: "") }
    #expect(Set(trained) == expected)
  }

  /// LoRA adapts queries and values of families, too, for which PEFT lists nothing.
  @Test(arguments: [("distilbert", ["q_lin", "v_lin"]), ("transformer", ["q_proj", "v_proj"])])
  func `LoRA adapts by role`(_ modelType: String, _ expected: [String]) throws {
    #expect(Self.tables["lora"]?[modelType] == nil)
    let catalog = try AnyFamily.build(modelType).catalog
    let linears = catalog.sites.filter { $0.linear != nil }
    #expect(Set(try delta("LORA", on: catalog).modules.map(\.path)) == paths(linears, endingWith: expected))
  }

  @Test func `a family without a default is told so`() throws {
    for type in ["IA3", "LN_TUNING"] {
      let catalog = try AnyFamily.build("distilbert").catalog
      let error = try #require(throws: TuningError.self) { try delta(type, on: catalog) }
      #expect(error.description.contains("target_modules") && error.description.contains("distilbert"))
    }
    let catalog = SiteCatalog()
    _ = try Linear(Scope(source: nil, catalog: catalog) / "odd", in: 4, out: 4)
    let error = try #require(throws: TuningError.self) { try delta("LORA", on: catalog) }
    #expect(error.description == "target_modules: there is no default for this model; name the layers to adapt")
  }
}
