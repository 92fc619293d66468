import Foundation
import GraftErrors
import GraftFiles
import GraftTestSupport
import Testing

@Suite struct InputFileTests {
  private let folder: TemporaryDirectory

  init() throws { folder = try TemporaryDirectory() }

  private func write(_ bytes: [UInt8], _ name: String = "a.txt") throws -> String { try folder.write(bytes, to: name) }

  /// The message without the path, and the exit status.
  private func refusal(_ path: String) -> Refusal? {
    do {
      _ = try TextFile.text(of: path)
      return nil
    } catch { return Refusal(text: String(error.description.dropFirst(path.count + 2)), status: error.status) }
  }

  private struct Refusal: Equatable {
    let text: String
    let status: ErrorStatus
  }

  @Test func aByteOrderMarkIsNoPartOfAText() throws {
    #expect(try TextFile.text(of: try write([0xEF, 0xBB, 0xBF] + Array("a: 1\n".utf8))) == "a: 1\n")
    #expect(try TextFile.text(of: try write(Array("a: 1\n".utf8))) == "a: 1\n")
    // Only the first is a mark.
    #expect(try TextFile.text(of: try write([0xEF, 0xBB, 0xBF, 0xEF, 0xBB, 0xBF])).unicodeScalars.map(\.value) == [0xFEFF])
    #expect(try TextFile.text(of: try write([])) == "")
  }

  @Test func whatIsNoUTF8HasALine() throws {
    #expect(
      refusal(try write(Array("a\nb\n".utf8) + [0xE9]))
        == Refusal(text: "3: the byte 0xE9 is not UTF-8; save the file as UTF-8", status: .malformedInput))
    #expect(
      refusal(try write([0xEF, 0xBB, 0xBF, 0x0A, 0xFF]))
        == Refusal(text: "2: the byte 0xFF is not UTF-8; save the file as UTF-8", status: .malformedInput))
  }

  /// A pipe without a writer would block whoever opens it.
  @Test(.timeLimit(.minutes(1))) func onlyRegularFilesAreOpened() throws {
    let pipe = folder.file("pipe")
    #expect(mkfifo(pipe, 0o600) == 0)
    #expect(refusal(pipe) == Refusal(text: "is a pipe, not a file; write its content to a file first", status: .missingInput))
    #expect(refusal("/dev/zero") == Refusal(text: "is a device, not a file; write its content to a file first", status: .missingInput))
    #expect(refusal(folder.path) == Refusal(text: "is a folder, not a file; name a file", status: .missingInput))
    #expect(refusal(folder.path + "/none") == Refusal(text: "there is no such file; check the path", status: .missingInput))
    let link = folder.file("link")
    try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: try write([0x61]))
    #expect(try TextFile.text(of: link) == "a")
  }

  @Test func whatCommandsATerminalIsSpelledOut() {
    #expect("caf\u{E9} 字 \u{1F600}".printable == "caf\u{E9} 字 \u{1F600}")
    #expect("a\u{1B}[31mb\tc\n\r\u{7}\u{7F}\u{9B}2J".printable == "a\\u{1b}[31mb\\tc\\n\\r\\u{7}\\u{7f}\\u{9b}2J")
    #expect("x\u{202E}y\u{2066}".printable == "x\\u{202e}y\\u{2066}")
  }

  /// A file that is there and that the disk does not give is no missing one.
  @Test func codesOfTheSystemHaveTheirStatus() {
    let statuses = [ENOENT, ENOTDIR, EACCES, EISDIR, EIO].map { FileError.input("f", $0).status }
    #expect(statuses == [.missingInput, .missingInput, .missingInput, .missingInput, .inputOutput])
    #expect(FileError.input("f", EACCES).description == "f: cannot be read: permission denied; check its permissions")
    #expect([ENOENT, ENOMEM, EIO].map { FileError.reading("f", $0).status } == [.missingInput, .systemFailure, .inputOutput])
    #expect([ENOSPC, EACCES].map { FileError.writing("f", $0).status } == [.inputOutput, .cannotCreate])
  }
}
