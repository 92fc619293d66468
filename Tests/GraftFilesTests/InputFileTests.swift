import Foundation
import GraftFiles
import GraftTestSupport
import Testing

@Suite struct InputFileTests {
  private let folder: TemporaryDirectory

  init() throws { folder = try TemporaryDirectory() }

  private func write(_ bytes: [UInt8], _ name: String = "a.txt") throws -> String { try folder.write(bytes, to: name) }

  private func problem(_ path: String) -> InputFileError.Problem? {
    do {
      _ = try TextFile.text(of: path)
      return nil
    } catch { return error.problem }
  }

  @Test func aByteOrderMarkIsNoPartOfAText() throws {
    #expect(try TextFile.text(of: try write([0xEF, 0xBB, 0xBF] + Array("a: 1\n".utf8))) == "a: 1\n")
    #expect(try TextFile.text(of: try write(Array("a: 1\n".utf8))) == "a: 1\n")
    // Only the first is a mark.
    #expect(try TextFile.text(of: try write([0xEF, 0xBB, 0xBF, 0xEF, 0xBB, 0xBF])).unicodeScalars.map(\.value) == [0xFEFF])
    #expect(try TextFile.text(of: try write([])) == "")
  }

  @Test func whatIsNoUTF8HasALine() throws {
    #expect(problem(try write(Array("a\nb\n".utf8) + [0xE9])) == .notUTF8(byte: 0xE9, line: 3))
    #expect(problem(try write([0xEF, 0xBB, 0xBF, 0x0A, 0xFF])) == .notUTF8(byte: 0xFF, line: 2))
  }

  /// A pipe without a writer would block whoever opens it.
  @Test(.timeLimit(.minutes(1))) func onlyRegularFilesAreOpened() throws {
    let pipe = folder.file("pipe")
    #expect(mkfifo(pipe, 0o600) == 0)
    #expect(problem(pipe) == .special("a pipe"))
    #expect(problem("/dev/zero") == .special("a device"))
    #expect(problem(folder.path) == .directory)
    #expect(problem(folder.path + "/none") == .missing)
    let link = folder.file("link")
    try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: try write([0x61]))
    #expect(try TextFile.text(of: link) == "a")
  }

  @Test func whatCommandsATerminalIsSpelledOut() {
    #expect("caf\u{E9} 字 \u{1F600}".printable == "caf\u{E9} 字 \u{1F600}")
    #expect("a\u{1B}[31mb\tc\n\r\u{7}\u{7F}\u{9B}2J".printable == "a\\u{1b}[31mb\\tc\\n\\r\\u{7}\\u{7f}\\u{9b}2J")
    #expect("x\u{202E}y\u{2066}".printable == "x\\u{202e}y\\u{2066}")
  }
}
