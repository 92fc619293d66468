import Foundation
import GraftFiles
import GraftTestSupport
import Testing

@Suite struct CompressionTests {
  private let folder: TemporaryDirectory
  /// `printf 'one\ntwo\n' | gzip -n`
  private static let gzip: [UInt8] = [
    0x1F, 0x8B, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x03, 0xCB, 0xCF, 0x4B, 0xE5, 0x2A, 0x29, 0xCF, 0xE7, 0x02, 0x00, 0xE6, 0x0B, 0xBA, 0x12,
    0x08, 0x00, 0x00, 0x00,
  ]

  init() throws { folder = try TemporaryDirectory() }

  private func expanded(_ bytes: [UInt8], _ name: String, upTo limit: Int = .max) throws -> [UInt8] {
    let path = try folder.write(bytes, to: name)
    var result: [UInt8] = []
    try #require(Compression(path: path)).expand(RandomAccessFile(path)) {
      result += $0
      return result.count < limit
    }
    return result
  }

  @Test func membersBehindOneAnotherAreOneText() throws {
    #expect(String(decoding: try expanded(Self.gzip + Self.gzip, "a.gz"), as: UTF8.self) == "one\ntwo\none\ntwo\n")
  }

  @Test(arguments: [("a.gz", 11), ("a.gz", 20), ("a.gz", 27)]) func whatIsCutShortIsRefused(name: String, count: Int) throws {
    #expect { _ = try expanded(Array(Self.gzip.prefix(count)), name) } throws: { ($0 as? FileError)?.kind == .malformed }
  }

  @Test(arguments: ["a.gz", "a.zst"]) func otherBytesAreRefused(name: String) throws {
    #expect { _ = try expanded(Array("{\"text\": \"plain\"}\n".utf8), name) } throws: { ($0 as? FileError)?.kind == .malformed }
  }

  /// A zip of zeros: what it expands to is bounded by its own bytes.
  @Test func bombsAreRefused() throws {
    let program = try Program("sh", "-c", "head -c 200000000 /dev/zero | gzip -9 > \(folder.file("b.gz"))")
    try #require(program.code == 0)
    var most = 0
    #expect {
      try Compression.gzip.expand(RandomAccessFile(folder.file("b.gz"))) {
        most += $0.count
        return true
      }
    } throws: { "\($0)".contains("expand to more than") }
    #expect(most < 90 << 20)
  }

  @Test func theReaderMayEndTheExpansion() throws {
    #expect(try expanded(Self.gzip, "a.gz", upTo: 1).count == 8)
    #expect(Compression(path: "data.JSONL.GZ") == .gzip && Compression(path: "data.jsonl") == nil)
  }
}
