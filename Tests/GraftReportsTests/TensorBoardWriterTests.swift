import Foundation
import GraftFiles
import GraftReports
import GraftTestSupport
import Testing

@Suite struct TensorBoardWriterTests {
  /// The check values of RFC 3720 and of the algorithm's catalogue entry.
  @Test func checksumsAreCastagnolis() {
    #expect(CRC32C.checksum(Array("123456789".utf8)) == 0xE306_9283)
    #expect(CRC32C.checksum(Array(repeating: 0, count: 32)) == 0x8A91_36AA)
    #expect(CRC32C.checksum(Array(repeating: 0xFF, count: 32)) == 0x62A8_AB43)
    #expect(CRC32C.checksum(Array(UInt8(0)...31)) == 0x46DD_794E)
  }

  /// The messages of an event file, every length and check verified.
  private func events(in path: String) throws -> [[UInt8]] {
    var rest = [UInt8](try #require(FileManager.default.contents(atPath: path)))[...]
    func take(_ count: Int) -> [UInt8] {
      defer { rest = rest.dropFirst(count) }
      return Array(rest.prefix(count))
    }
    func number(_ bytes: [UInt8]) -> UInt64 { bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) } }
    var events: [[UInt8]] = []
    while !rest.isEmpty {
      let length = take(8)
      #expect(number(take(4)) == UInt64(CRC32C.maskedChecksum(length)))
      let message = take(Int(number(length)))
      #expect(number(take(4)) == UInt64(CRC32C.maskedChecksum(message)))
      events.append(message)
    }
    return events
  }

  /// The bytes are those that TensorBoard's own writer makes for the same events.
  @Test func eventsAreTensorBoards() throws {
    let directory = try TemporaryDirectory()
    let folder = directory.path
    let time = Date(timeIntervalSince1970: 1_700_000_000.5)
    let writer = try TensorBoardWriter(directory: folder, now: time)
    try writer.writeScalars([("train/loss", 1.5), ("lr", 0.25)], step: 300, at: time)
    try writer.writeText("# r", tag: "recipe", step: 0, at: time)
    try writer.synchronize()
    #expect(writer.path.split(separator: "/").last?.hasPrefix("events.out.tfevents.1700000000.") == true)
    let found = try events(in: writer.path).map {
      $0.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
    }
    #expect(
      found == [
        "0900002040fc54d9411a0d627261696e2e4576656e743a32",
        "0900002040fc54d94110ac022a1e0a110a0a747261696e2f6c6f7373150000c03f0a090a026c72150000803e",
        "0900002040fc54d9412a230a210a06726563697065420d080712041202080142032320724a080a060a0474657874",
      ])
  }

  /// A run that goes on keeps the first events, in whole records, whatever a kill left at the end.
  @Test func laterEventsAreCutOff() throws {
    let directory = try TemporaryDirectory()
    let folder = directory.path
    let writer = try TensorBoardWriter(directory: folder, now: Date(timeIntervalSince1970: 2))
    // Begun later, though its name comes first.
    let later = try TensorBoardWriter(directory: folder, now: Date(timeIntervalSince1970: 10))
    for step in [0, 1, 2, 300] { try writer.writeScalars([("loss", 1)], step: step) }
    try later.writeScalars([("loss", 1)], step: 3)
    let handle = try #require(FileHandle(forWritingAtPath: writer.path))
    try handle.seekToEnd()
    try handle.write(contentsOf: Data([7, 0, 0]))
    try TensorBoardWriter.cut(directory: folder, keeping: 5)
    #expect(try events(in: writer.path).count == 1 + 4 && events(in: later.path).count == 1 + 1)
    try TensorBoardWriter.cut(directory: folder, keeping: 3)
    #expect(try events(in: writer.path).count == 1 + 3)
    #expect(!FileManager.default.fileExists(atPath: later.path))
    try TensorBoardWriter.cut(directory: folder, keeping: 0)
    #expect(!FileManager.default.fileExists(atPath: writer.path))
  }

  @Test func aSecondFileStandsBesideTheFirst() throws {
    let directory = try TemporaryDirectory()
    let folder = directory.path
    let first = try TensorBoardWriter(directory: folder)
    let second = try TensorBoardWriter(directory: folder)
    #expect(first.path != second.path)
    #expect(throws: FileError.self) { try TensorBoardWriter(directory: folder + "/nowhere") }
  }
}
