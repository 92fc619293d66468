import ArgumentParser
import GraftConfiguration

/// Arguments that cannot be understood, as one line.
struct ArgumentFailure {
  let message: String

  /// The parser's complaint, with the command whose help says more.
  /// - Parameters:
  ///   - complaint: the problem, of one line or several.
  ///   - full: the complaint with the parser's own help behind it, which names the command.
  init(_ complaint: String, full: String) {
    let line = complaint.split(whereSeparator: \.isNewline).joined(separator: " ").trimmingSuffix(while: { $0 == "." })
    let command = full.firstMatch(of: /See '([^']+ --help)'/)?.output.1
    // A complaint of ours says what to do.
    message = line.contains("; ") ? String(line) : "\(line); see: \(command ?? "graft --help")"
  }

  /// The complaint about a first argument that is no command, with the nearest there is; nil where it is one, or an option.
  init?(arguments: some Collection<String>) {
    let commands = GraftCommand.configuration.subcommands.map { $0._commandName } + ["help"]
    guard let name = arguments.first, !name.hasPrefix("-"), !commands.contains(name) else { return nil }
    let shown = GraftCommand.configuration.subcommands.filter { $0.configuration.shouldDisplay }.map { $0._commandName }
    message = "\(name): is no command; \(NearestName.advice(for: name, among: shown + ["help"]))"
  }
}

extension StringProtocol {
  fileprivate func trimmingSuffix(while predicate: (Character) -> Bool) -> SubSequence {
    guard let last = lastIndex(where: { !predicate($0) }) else { return self[startIndex..<startIndex] }
    return self[...last]
  }
}
