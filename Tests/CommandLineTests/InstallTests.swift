import Foundation
import GraftErrors
import GraftJSON
import GraftTestSupport
import Testing

/// Everything that `make install` says it puts somewhere is there, and nothing stays behind `make uninstall`.
@Suite("Installing")
struct InstallTests {
  private func make(_ target: String, in folder: TemporaryDirectory) throws {
    let made = try Program("make", target, "GRAFT=\(Graft.program.path)", "DESTDIR=\(folder.path)", "PREFIX=/usr")
    try #require(made.code == 0, "\(made.errors)")
  }

  private func files(in folder: TemporaryDirectory) throws -> Set<String> {
    Set(try FileManager.default.subpathsOfDirectory(atPath: folder.path).filter { !isFolder(folder.file($0)) })
  }

  private func isFolder(_ path: String) -> Bool {
    var isDirectory: ObjCBool = false
    return FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory) && isDirectory.boolValue
  }

  @Test func everythingIsPutInItsPlaceAndTakenAway() throws {
    let folder = try TemporaryDirectory()
    try folder.write("another's".utf8, to: "usr/share/man/man1/graft-other.1")
    try make("install", in: folder)
    let found = try files(in: folder)
    for name in [
      "bin/graft", "share/man/man1/graft.1", "share/bash-completion/completions/graft", "share/zsh/site-functions/_graft",
      "share/fish/vendor_completions.d/graft.fish", "share/graft/Recipes/quickstart.yaml", "share/graft/Data/instructions/train.jsonl",
      "share/graft/Data/models/seedling/model.safetensors", "share/doc/graft/README.md", "share/doc/graft/LICENSE",
      "share/doc/graft/Documentation/Methods.md",
    ] { #expect(found.contains("usr/\(name)"), "\(name)") }
    #expect(!found.contains { $0.contains("generated") })
    let version = try Program(folder.file("usr/bin/graft"), "--version")
    #expect(version.code == 0 && version.output.wholeMatch(of: /\d+\.\d+\.\d+\n/) != nil)
    try make("uninstall", in: folder)
    #expect(try files(in: folder) == ["usr/share/man/man1/graft-other.1"])
  }

  /// The commands and their options, as the parser knows them.
  private static func commands() throws -> [(name: String, options: [String])] {
    let parser = try JSON(parsing: try Graft.run("--experimental-dump-help").output)
    return (parser["command"]?["subcommands"]?.array ?? []).filter { $0["shouldDisplay"]?.bool == true }.compactMap { command in
      guard let name = command["commandName"]?.string, name != "help" else { return nil }
      let arguments = command["arguments"]?.array ?? []
      return (name, arguments.filter { $0["shouldDisplay"]?.bool == true }.compactMap { $0["preferredName"]?["name"]?.string })
    }
  }

  @Test func theManualHasEveryCommandAndOption() throws {
    let page = try Graft.run("manual").output
    let commands = try Self.commands()
    #expect(commands.count > 12)
    for (name, options) in commands {
      let section = try #require(page.components(separatedBy: ".SS graft \(name)\n").last, "\(name)").components(separatedBy: "\n.S").first ?? ""
      for option in options where !["help", "version"].contains(option) {
        #expect(section.contains("\\fB\\-\\-\(option.replacing("-", with: "\\-"))\\fR"), "\(name) --\(option)")
      }
    }
    for status in ErrorStatus.allCases { #expect(page.contains(".TP\n.B \(status.rawValue)\n"), "\(status)") }
    // A line that begins with a full stop or an apostrophe is a command to the formatter.
    let known = ["TH", "nh", "SH", "SS", "TP", "PP", "nf", "fi", "RS", "RE", "B", "I"]
    for line in page.split(separator: "\n") where line.hasPrefix(".") || line.hasPrefix("'") {
      #expect(known.contains { line == ".\($0)" || line.hasPrefix(".\($0) ") }, "\(line)")
    }
  }

  @Test(arguments: ["bash", "zsh", "fish"]) func completionsKnowEveryCommand(shell: String) throws {
    let script = try Graft.run("--generate-completion-script", shell).output
    for (name, options) in try Self.commands() {
      #expect(script.contains(name), "\(name)")
      for option in options { #expect(script.contains(option), "\(name) --\(option)") }
    }
  }
}
