import Foundation
import GraftJSON
import GraftTestSupport
import Testing

/// The floors of the house: an edge between targets points to a lower floor, or along it where the list allows.
@Suite struct EdgeTests {
  private static let floors: [String: Int] = [
    "CKernels": 0, "COpenBLAS": 0, "CHDF5": 0, "CLibCrypto": 0, "CZlib": 0, "GraftJSON": 0, "GraftFiles": 0, "FuzzSupport": 1, "GraftTestSupport": 1,
    "GraftTensors": 1, "GraftBatching": 1, "GraftTokenizers": 1, "GraftConfiguration": 1,
    "GraftLayers": 2, "GraftOptimizers": 2, "GraftDatasets": 2,
    "GraftCheckpoints": 3, "GraftTraining": 3,
    "GraftAdapters": 4, "GraftModels": 4, "GraftGeneration": 4,
    "GraftRecipes": 5, "Graft": 6, "graft": 6,
  ]

  private static func targets() throws -> [JSON] {
    let scratch = try TemporaryDirectory()
    let dump = try Program("swift", "package", "--scratch-path", scratch.path, "dump-package")
    return try #require(try JSON(parsing: dump.output)["targets"]?.array, "\(dump.errors)")
  }

  @Test func edgesPointDown() throws {
    var checked = 0
    for target in try Self.targets() where target["type"]?.string != "test" {
      let name = try #require(target["name"]?.string)
      let floor = try #require(Self.floors[name], "\(name) has no floor: add it to the list")
      for dependency in target["dependencies"]?.array ?? [] {
        guard let other = dependency["byName"]?[0]?.string, let below = Self.floors[other] else { continue }
        #expect(below < floor, "\(name) on floor \(floor) depends on \(other) on floor \(below)")
        checked += 1
      }
    }
    #expect(checked > 30)
  }
}
