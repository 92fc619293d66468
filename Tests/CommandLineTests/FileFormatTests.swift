import Foundation
import GraftJSON
import GraftTestSupport
import Testing

/// `Documentation/FileFormats.md` names everything that a run writes.
@Suite("The page on files")
struct FileFormatTests {
  private static let page = Result { try Repository.text("Documentation/FileFormats.md") }

  /// True where the page has a name between backticks or in a drawing.
  private static func names(_ name: String) throws -> Bool {
    try page.get().contains(try Regex("(^|[^A-Za-z0-9_])\(name)($|[^A-Za-z0-9_])"))
  }

  /// The names of all members of a JSON document, nested ones too.
  private func keys(of json: JSON) -> Set<String> {
    let inner = json.object.map { $0.map(\.value) } ?? json.array ?? []
    return inner.reduce(into: Set(json.object?.keys ?? [])) { $0.formUnion(keys(of: $1)) }
  }

  @Test func namesWhatARunWrites() throws {
    let folder = try Graft.scratch()
    let recipe = try folder.write(
      TinyModel.recipe("report: {html: true, tensorboard: true}")
        .replacing("save_steps: 3", with: "save_steps: 3, eval_steps: 2").replacing("data: {", with: "data: {eval: \(try TinyModel.dataPath), "),
      "r.yaml")
    let run = folder.appending(path: "run")
    let result = try Graft.run("train", recipe, "--output", run.path, "--quiet")
    try #require(result.code == 0, "\(result.errors)")

    let files = try FileManager.default.subpathsOfDirectory(atPath: run.path).map { path in
      path.hasPrefix("events.out.tfevents.") ? "events.out.tfevents" : path.replacing(/step-\d+/, with: "step-N")
    }
    #expect(files.count > 9)
    for file in files { #expect(try Self.names(NSRegularExpression.escapedPattern(for: file)), "\(file)") }

    let lines = try String(contentsOf: run.appending(path: "metrics.jsonl"), encoding: .utf8).split(separator: "\n")
    let summary = try JSON(parsing: Data(contentsOf: run.appending(path: "summary.json")))
    let named = try lines.reduce(into: keys(of: summary)) { $0.formUnion(keys(of: try JSON(parsing: String($1)))) }
    #expect(named.count > 25)
    for key in named.sorted() { #expect(try Self.names(key), "\(key)") }
  }

  /// The names that the writers of adapter files and checkpoints spell.
  @Test(arguments: [
    "GraftCheckpoints/Adapters/AdapterArchive+Writing.swift", "GraftSessions/Run/RunState.swift", "GraftSessions/Run/RunSummary.swift",
  ])
  func namesWhatIsSpelt(file: String) throws {
    let names = try Repository.text("Sources/\(file)").matches(of: /"([a-z]+(?:_[a-z0-9]+)*)"/).map { String($0.1) }
    #expect(names.count > 10)
    for name in Set(names).sorted() { #expect(try Self.names(name), "\(name)") }
  }
}
