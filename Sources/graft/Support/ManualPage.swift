import GraftJSON

/// A manual page in the language of man(7): the program, its commands with their arguments and options, and its exit codes.
struct ManualPage {
  private(set) var text: String

  /// The exit codes of sysexits that the program ends with.
  private static let exitCodes: [(code: Int, meaning: String)] = [
    (0, "What was asked for is done."), (64, "The command line or the recipe asks for what cannot be."),
    (65, "Data or weights are malformed, or do not fit together."), (66, "An input does not exist or may not be read."),
    (70, "A mistake of ours."), (71, "The system has no more memory."), (73, "The output cannot be created, or is in use."),
    (74, "Reading or writing failed, a full disk included."), (75, "Interrupted; the run can be resumed."),
  ]

  /// - Parameter command: the program as ArgumentParser describes it in JSON.
  init(of command: JSON, version: String) {
    let name = command["commandName"]?.string ?? ""
    text = ".TH \(Self.quoted(name.uppercased())) 1 \"\" \(Self.quoted("\(name) \(version)")) \(Self.quoted("\(name) manual"))\n.nh\n"
    section("Name", "\(Self.escaped(name)) \\- \(Self.escaped(Self.phrase(command["abstract"]?.string ?? "")))\n")
    section("Synopsis", ".B \(Self.escaped(name))\n.I command\n[\\fIarguments\\fR]\n")
    section(
      "Description",
      "A command fine\\-tunes a checkpoint, or does something with what came out. Every command describes itself with \\fB\\-\\-help\\fR.\n")
    examples(of: command)
    let commands = (command["subcommands"]?.array ?? []).filter { $0["shouldDisplay"]?.bool != false && $0["commandName"]?.string != "help" }
    text += ".SH COMMANDS\n"
    for command in commands { describe(command, program: name) }
    text += ".SH EXIT STATUS\n"
    for (code, meaning) in Self.exitCodes { text += ".TP\n.B \(code)\n\(Self.escaped(meaning))\n" }
  }

  private mutating func section(_ title: String, _ content: String) { text += ".SH \(title.uppercased())\n\(content)" }

  private mutating func describe(_ command: JSON, program: String) {
    let name = command["commandName"]?.string ?? ""
    let arguments = (command["arguments"]?.array ?? []).filter {
      $0["shouldDisplay"]?.bool != false && !["version", "help"].contains($0["preferredName"]?["name"]?.string)
    }
    text += ".SS \(Self.escaped("\(program) \(name)"))\n\(Self.escaped(command["abstract"]?.string ?? ""))\n"
    for argument in arguments { text += ".TP\n\(Self.heading(of: argument))\n\(Self.escaped(Self.help(of: argument)))\n" }
    examples(of: command)
    let inner = (command["subcommands"]?.array ?? []).filter { $0["shouldDisplay"]?.bool != false && $0["commandName"]?.string != "help" }
    for command in inner { describe(command, program: "\(program) \(name)") }
  }

  /// The lines of a discussion that show a command.
  private mutating func examples(of command: JSON) {
    for line in (command["discussion"]?.string ?? "").split(separator: "\n") {
      guard line.hasPrefix("Example: ") else {
        text += ".PP\n\(Self.escaped(String(line)))\n"
        continue
      }
      text += ".PP\nExample:\n.PP\n.nf\n.RS\n\(Self.escaped(String(line.dropFirst("Example: ".count))))\n.RE\n.fi\n"
    }
  }

  /// Returns an argument's names and value as they are typed: `-q, --quiet`, `--output dir`, `recipe`.
  private static func heading(of argument: JSON) -> String {
    let names = (argument["names"]?.array ?? []).compactMap { name in
      name["name"]?.string.map { (name["kind"]?.string == "short" ? "-" : "--") + $0 }
    }
    let value = argument["kind"]?.string == "flag" ? nil : argument["valueName"]?.string
    let typed = names.map { "\\fB\(escaped($0))\\fR" }.joined(separator: ", ")
    let placeholder = value.map { "\\fI\(escaped($0))\\fR" + (argument["isRepeating"]?.bool == true ? " ..." : "") }
    return [typed.isEmpty ? nil : typed, placeholder].compactMap { $0 }.joined(separator: " ")
  }

  private static func help(of argument: JSON) -> String {
    let values = (argument["allValues"]?.array ?? []).compactMap(\.string)
    return [
      argument["abstract"]?.string, values.isEmpty ? nil : "Values: \(values.joined(separator: ", ")).",
      argument["defaultValue"]?.string.map { "Default: \($0)." },
    ].compactMap { $0 }.joined(separator: " ")
  }

  /// Returns a sentence as a phrase behind a name: no capital in front, no full stop behind.
  private static func phrase(_ sentence: String) -> String {
    let bare = sentence.hasSuffix(".") ? sentence.dropLast() : sentence[...]
    return bare.prefix(1).lowercased() + bare.dropFirst()
  }

  /// Returns text in which nothing commands the formatter.
  private static func escaped(_ text: String) -> String {
    text.split(separator: "\n", omittingEmptySubsequences: false).map { line in
      let escaped = line.map { $0 == "\\" ? "\\e" : $0 == "-" ? "\\-" : String($0) }.joined()
      return escaped.hasPrefix(".") || escaped.hasPrefix("'") ? "\\&" + escaped : escaped
    }.joined(separator: "\n")
  }

  private static func quoted(_ text: String) -> String { "\"\(text)\"" }
}
