import Foundation
import Testing

/// The short form of `Scripts/torture`: kills and full disks at every 17th call that changes a file, and signals at random moments.
@Suite struct KillTests {
  static let isPossible = ["/usr/bin/python3", "/usr/bin/cc"].allSatisfy { FileManager.default.isExecutableFile(atPath: $0) }

  @Test(
    .enabled(if: KillTests.isPossible, "needs Python and a C compiler"), arguments: [["kills.py", "--quick"], ["memory.py", "--steps", "1500"]])
  func holds(_ script: [String]) throws {
    let process = Process()
    let output = Pipe()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/python3")
    process.arguments = [Graft.root.appending(path: "Scripts/torture/\(script[0])").path] + script.dropFirst()
    process.environment = ProcessInfo.processInfo.environment.merging(["GRAFT": try Graft.program.path]) { $1 }
    process.standardOutput = output
    process.standardError = output
    // What it signals must not have inherited the mask of a test's thread.
    try Graft.start(process)
    let text = String(decoding: try output.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
    process.waitUntilExit()
    #expect(process.terminationStatus == 0, "\(text)")
  }
}
