import Foundation
import GraftJSON
import Testing

/// The floors of the house: an edge between targets points to a lower floor, or along it where the list allows.
@Suite struct EdgeTests {
  private static let floors: [String: Int] = [
    "CKernels": 0, "COpenBLAS": 0, "CHDF5": 0, "CLibCrypto": 0, "CZlib": 0, "GraftJSON": 0, "GraftFiles": 0, "FuzzSupport": 1,
    "GraftTensors": 1, "GraftBatching": 1, "GraftTokenizers": 1, "GraftConfiguration": 1,
    "GraftLayers": 2, "GraftOptimizers": 2, "GraftDatasets": 2,
    "GraftCheckpoints": 3, "GraftTraining": 3,
    "GraftAdapters": 4, "GraftModels": 4, "GraftGeneration": 4,
    "GraftReports": 5, "GraftRecipes": 5,
    "GraftSessions": 6, "GraftComparison": 7, "Graft": 8, "graft": 8,
  ]

  private static func targets() throws -> [JSON] {
    let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    let scratch = FileManager.default.temporaryDirectory.appending(path: "graft-edges-\(ProcessInfo.processInfo.processIdentifier)")
    defer { try? FileManager.default.removeItem(at: scratch) }
    let process = Process()
    let pipe = Pipe()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = ["swift", "package", "--package-path", root.path, "--scratch-path", scratch.path, "dump-package"]
    process.standardOutput = pipe
    try process.run()
    let output = try pipe.fileHandleForReading.readToEnd() ?? Data()
    process.waitUntilExit()
    return try #require(try JSON(parsing: output)["targets"]?.array)
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
