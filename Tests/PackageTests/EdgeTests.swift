import Foundation
import GraftJSON
import GraftTestSupport
import Testing

/// The floors of the house: an edge between targets points to a lower floor, or along it where the list allows.
@Suite struct EdgeTests {
  private static let floors: [String: Int] = [
    "CKernels": 0, "COpenBLAS": 0, "CHDF5": 0, "CLibCrypto": 0, "CZlib": 0, "CZstd": 0, "CEditline": 0,
    "GraftErrors": 0, "GraftJSON": 1, "GraftFiles": 1,
    "GraftRegularExpressions": 0,
    "FuzzSupport": 2, "GraftTestSupport": 2, "GraftTrainingTestSupport": 5, "FuzzReaders": 7,
    "GraftTensors": 2, "GraftBatching": 2, "GraftTemplates": 2, "GraftTokenizers": 2, "GraftConfiguration": 2,
    "GraftLayers": 3, "GraftOptimizers": 3, "GraftDatasets": 3,
    "GraftCheckpoints": 4, "GraftTraining": 4,
    "GraftAdapters": 5, "GraftModels": 5, "GraftGeneration": 5,
    "GraftReports": 6, "GraftRecipes": 6,
    "GraftSessions": 7, "GraftComparison": 8, "Graft": 9, "graft": 9, "UserProgram": 10,
  ]

  /// The targets as SwiftPM reads them, the fuzzer's included.
  private static let targets = Result { try dumpedTargets() }

  private static func dumpedTargets() throws -> [JSON] {
    let scratch = try TemporaryDirectory()
    let dump = try Program("GRAFT_FUZZ=1", "swift", "package", "--scratch-path", scratch.path, "dump-package")
    return try #require(try JSON(parsing: dump.output)["targets"]?.array, "\(dump.errors)")
  }

  @Test func edgesPointDown() throws {
    var checked = 0
    for target in try Self.targets.get() where target["type"]?.string != "test" {
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

  /// The page names every target once, on its floor, with what it needs directly and nothing else that it needs needs.
  @Test func thePageHasEveryTargetAndItsEdges() throws {
    let edges = Dictionary(uniqueKeysWithValues: try Self.targets.get().compactMap(Target.init).map { ($0.name, $0.dependencies) })
    func needs(_ name: String) -> Set<String> { (edges[name] ?? []).reduce(into: edges[name] ?? []) { $0.formUnion(needs($1)) } }
    let page = try Repository.text("Documentation/Architecture.md")
    let rows = page.split(separator: "\n").map { $0.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) } }
    let told = ["FuzzSupport", "GraftTestSupport", "GraftTrainingTestSupport", "FuzzReaders", "UserProgram"]
    for (name, floor) in Self.floors where !told.contains(name) && edges[name] != nil {
      let direct = edges[name, default: []].filter { edge in !edges[name, default: []].contains { $0 != edge && needs($0).contains(edge) } }
      let expected = direct.sorted().map { "`\($0)`" }.joined(separator: ", ")
      let found = rows.filter { $0.count >= 3 && $0[1] == "`\(name)`" }
      #expect(found.count == 1, "\(name)")
      #expect(found.first?.first == "\(floor)" && (found.first?.dropFirst(3).first ?? "") == expected, "\(name) on floor \(floor): \(expected)")
    }
  }

  /// SwiftPM lets a file import what some other target happens to need: such an edge is on no list and breaks with the order of the build.
  @Test func importsAreDeclaredAndDeclaredEdgesAreImported() throws {
    let targets = try Self.targets.get().compactMap(Target.init)
    let modules = Set(targets.map(\.name)).union(["ArgumentParser", "Rainbow", "Yams"])
    var checked = 0
    for target in targets where target.isSwift {
      let imported = try target.imports(in: Repository.root)
      for (module, file) in imported.sorted(by: { $0.key < $1.key }) where modules.contains(module) {
        #expect(target.dependencies.contains(module), "\(file) imports \(module), which Package.swift does not list for \(target.name)")
        checked += 1
      }
      // The tests of the command line need the program itself.
      for module in target.dependencies.subtracting(["graft", "UserProgram"]) where imported[module] == nil {
        Issue.record("Package.swift lists \(module) for \(target.name), no file of which imports it")
      }
    }
    #expect(checked > 100)
  }
}

/// A target as Package.swift declares it.
private struct Target {
  let name: String
  let folder: String
  let dependencies: Set<String>

  init?(_ json: JSON) {
    guard let name = json["name"]?.string, let type = json["type"]?.string else { return nil }
    self.name = name
    folder = json["path"]?.string ?? (type == "test" ? "Tests/" : "Sources/") + name
    let edges = json["dependencies"]?.array ?? []
    dependencies = Set(edges.compactMap { ($0["byName"] ?? $0["product"])?[0]?.string })
  }

  /// True where the target has files in Swift, not only in C.
  var isSwift: Bool { !name.hasPrefix("C") || name == "CommandLineTests" }

  /// The modules that the target's files import, each with a file that does.
  func imports(in root: URL) throws -> [String: String] {
    let files = try #require(FileManager.default.enumerator(at: root.appending(path: folder), includingPropertiesForKeys: nil))
    let pattern = /^(?:@\w+ )*(?:public |package |internal )?import (?:(?:struct|class|enum|protocol|func|var|typealias) )?(\w+)/
      .anchorsMatchLineEndings()
    var imported: [String: String] = [:]
    for case let file as URL in files where file.pathExtension == "swift" {
      for match in try String(contentsOf: file, encoding: .utf8).matches(of: pattern) { imported[String(match.1)] = file.lastPathComponent }
    }
    return imported
  }
}
