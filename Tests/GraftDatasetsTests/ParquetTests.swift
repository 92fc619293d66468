import Foundation
import GraftDatasets
import GraftJSON
import GraftTestSupport
import Testing

/// Files that pyarrow wrote, read as it would read them.
@Suite struct ParquetTests {
  private let fixtures = Fixtures("GraftDatasetsTests")

  @Test(arguments: ["snappy", "plain", "gzip", "zstd-pages-2"]) func recordsAreThoseThatWereWritten(form: String) throws {
    let expected = try #require(try JSON(parsing: fixtures.data("records.json")).array)
    let records = try DataFile.records(of: fixtures.path("\(form).parquet"))
    #expect(records.count == 60 && records.map(\.line) == Array(1...60))
    for (record, expected) in zip(records, expected) { #expect(JSON.object(record.fields) == expected) }
  }

  @Test func encodingsThatAreNotReadAreNamed() {
    #expect { try DataFile.records(of: fixtures.path("unknown.parquet")) } throws: {
      "\($0)".contains("column label is encoded as DELTA_BINARY_PACKED, which is not read here; write it with pyarrow")
    }
  }

  @Test func aLargeFileIsUnpackedToLines() throws {
    CacheFolder.use()
    let list = try RecordList(of: [fixtures.path("gzip.parquet")], readingLimit: 100)
    #expect(list.isLarge && list.count == 60)
    let whole = try DataFile.records(of: fixtures.path("gzip.parquet"))
    for index in [0, 59, 24, 25] { #expect(try list[index] == whole[index]) }
  }

  /// Whatever is done to the bytes: an error, or records.
  @Test(arguments: ["snappy", "plain", "gzip", "zstd-pages-2"]) func damageIsFound(form: String) throws {
    let bytes = [UInt8](try fixtures.data("\(form).parquet"))
    let folder = try TemporaryDirectory()
    var state: UInt64 = 7
    func next(_ bound: Int) -> Int {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Int((state >> 33) % UInt64(bound))
    }
    var refused = 0
    for round in 0..<400 {
      var damaged = bytes
      for _ in 0...next(3) { damaged[next(damaged.count)] = UInt8(next(256)) }
      if round % 5 == 0 { damaged.removeLast(next(damaged.count)) }
      // The footer says the most: half of the damage is there.
      if round % 2 == 0 { damaged[max(0, damaged.count - 1 - next(min(1500, damaged.count)))] ^= UInt8(1 << next(8)) }
      do { _ = try DataFile.records(of: folder.write(damaged, to: "d.parquet")) } catch { refused += 1 }
    }
    #expect(refused > 100)
  }
}

/// A folder for what tests keep in the cache.
enum CacheFolder {
  static let folder = try? TemporaryDirectory()

  static func use() { if let folder { setenv("GRAFT_CACHE", folder.path, 1) } }
}
