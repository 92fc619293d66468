import Foundation
import Testing

/// An error that is no `UserError` ends a command as a fault of the program.
@Suite("Errors") struct UserErrorTests {
  /// Errors that are turned into others before they reach a user, or that only a program's author can cause; and the word to stop.
  private static let others: Set = ["RegularExpressionError", "TemplateFailure", "RegistryError", "Interruption", "Damage", "ParquetFault"]

  @Test("that users can cause say with which status a command ends")
  func conformances() throws {
    let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    let files = try #require(FileManager.default.enumerator(at: root.appending(path: "Sources"), includingPropertiesForKeys: nil))
    var found = 0
    for case let file as URL in files where file.pathExtension == "swift" {
      for match in try String(contentsOf: file, encoding: .utf8).matches(of: /(?:struct|enum|class) (\w+): (\w*Error)\b/) {
        if match.2 == "UserError" { found += 1 }
        #expect(match.2 == "UserError" || Self.others.contains(String(match.1)), "\(match.1) of \(file.lastPathComponent) is no UserError")
      }
    }
    #expect(found > 12)
  }
}
