import Foundation
import GraftTestSupport
import Testing

/// Pages that tell what there is tell all of it.
@Suite("Pages")
struct PageTests {
  @Test func everyScriptHasItsLine() throws {
    let page = try Repository.text("Scripts/README.md")
    let entries = Repository.names(in: "Scripts", endingWith: "")
    #expect(entries.count > 25)
    for name in entries where !["README.md", "requirements.txt", "mutations.toml", "seedling", "tasks", "__pycache__"].contains(name) {
      #expect(page.contains("| `\(name)` |") || page.contains("| `\(name)/` |"), "\(name)")
    }
    for name in page.matches(of: /\| `([^`]+)` \|/).map({ String($0.1) }) {
      #expect(FileManager.default.fileExists(atPath: Repository.file("Scripts/\(name)").path), "\(name)")
    }
  }

  /// Links between the pages, and to files of the repository.
  @Test func linksLeadSomewhere() throws {
    let pages =
      ["README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", "Data/README.md", "Benchmarks/README.md", "Scripts/README.md"]
      + Repository.names(in: "Documentation", endingWith: ".md").map { "Documentation/\($0)" }
    var checked = 0
    for page in pages {
      let folder = Repository.file(page).deletingLastPathComponent()
      for match in try Repository.text(page).matches(of: /\]\(([^)#:]+)(?:#[^)]*)?\)/) {
        let target = folder.appending(path: String(match.1)).standardizedFileURL
        #expect(FileManager.default.fileExists(atPath: target.path), "\(page): \(match.1)")
        checked += 1
      }
    }
    #expect(checked > 12)
  }

  /// The paths of sources that pages name between backticks.
  @Test func pathsOnPagesExist() throws {
    for page in ["README.md", "CONTRIBUTING.md", "Documentation/Architecture.md"] {
      for match in try Repository.text(page).matches(of: /`((?:Sources|Tests|Scripts|Documentation|Recipes|Data)\/[^`*\s]+)`/) {
        let path = String(match.1)
        #expect(FileManager.default.fileExists(atPath: Repository.file(path).path), "\(page): \(path)")
      }
    }
  }

  /// The walks of a parameter and of a batch lead through code that is there, in at most 15 hops each.
  @Test(arguments: ["One parameter", "One batch"])
  func walksLeadThroughTheCode(_ walk: String) throws {
    let page = try Repository.text("Documentation/Architecture.md")
    let section = try #require(page.components(separatedBy: "## \(walk)\n").dropFirst().first?.components(separatedBy: "\n## ").first)
    let hops = section.matches(of: /\| (\d+) \| `([^`]+)` \| `([^`]+)` \|/)
    #expect(hops.map { String($0.1) } == (1...max(1, hops.count)).map(String.init))
    #expect((8...15).contains(hops.count))
    for hop in hops { #expect(try Repository.text(String(hop.2)).contains(hop.3), "\(hop.2): \(hop.3)") }
  }
}
