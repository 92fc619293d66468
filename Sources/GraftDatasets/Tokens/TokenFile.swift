import Foundation
import GraftBatching
import GraftFiles
import GraftJSON

/// Examples in a file, one behind the other, of which lengths alone are in memory.
///
/// The file is the words of the examples, the index of them, the report on their encoding, and four numbers that say where these lie. It is made
/// once for records, tokenizer and settings of an encoding, under a name that is a hash of all of them.
public final class TokenFile: Sendable {
  /// The length of each example in a packed row.
  public let packedLengths: [Int32]
  /// The tokens of each example, those of a source counted as well.
  public let tokenCounts: [Int32]
  /// The report on the encoding.
  public let report: EncodingReport
  private let file: RandomAccessFile
  private let indexOffset: Int

  private static let magic: UInt64 = 0x316E_656B_6F74_7267
  /// The bytes of an entry of the index: offset, packed length, tokens, record.
  private static let entrySize = 20

  /// Opens a file that was written before.
  ///
  /// - Throws: `FileError` for one that cannot be read, or is not as it was written.
  init(_ path: String) throws {
    file = try RandomAccessFile(path)
    let damaged = FileError(.malformed, path, "is no sound token file", remedy: "remove it: it is made again")
    let footer = try file.bytes(at: max(0, file.size - 32), count: 32).withUnsafeBytes { bytes in
      (0..<bytes.count / 8).map { bytes.loadUnaligned(fromByteOffset: 8 * $0, as: UInt64.self) }
    }
    guard footer.count == 4, footer[3] == Self.magic, let index = Int(exactly: footer[0]), let count = Int(exactly: footer[1]),
      let reportOffset = Int(exactly: footer[2]), index >= 0, count >= 0, count <= file.size / Self.entrySize,
      index + count * Self.entrySize == reportOffset, reportOffset <= file.size - 32,
      let report = EncodingReport(try? JSON(parsing: file.bytes(at: reportOffset, count: file.size - 32 - reportOffset)))
    else { throw damaged }
    (indexOffset, self.report) = (index, report)
    var (lengths, tokens) = ([Int32](), [Int32]())
    lengths.reserveCapacity(count)
    tokens.reserveCapacity(count)
    for start in stride(from: 0, to: count, by: 1 << 14) {
      let part = min(1 << 14, count - start)
      try file.bytes(at: index + start * Self.entrySize, count: part * Self.entrySize).withUnsafeBytes { bytes in
        for entry in 0..<part {
          lengths.append(bytes.loadUnaligned(fromByteOffset: entry * Self.entrySize + 8, as: Int32.self))
          tokens.append(bytes.loadUnaligned(fromByteOffset: entry * Self.entrySize + 12, as: Int32.self))
        }
      }
    }
    (packedLengths, tokenCounts) = (lengths, tokens)
  }

  /// The number of examples.
  public var count: Int { packedLengths.count }

  /// The example of an index.
  ///
  /// - Throws: `FileError` where reading fails.
  public func example(_ index: Int) throws -> EncodedExample {
    // The next entry, or the index behind the last example, is where this one ends.
    let entries = try file.bytes(at: indexOffset + index * Self.entrySize, count: index + 1 < count ? Self.entrySize + 8 : 8)
    let bounds = entries.withUnsafeBytes { bytes in
      (
        bytes.loadUnaligned(as: UInt64.self),
        bytes.count > 8 ? bytes.loadUnaligned(fromByteOffset: Self.entrySize, as: UInt64.self) : UInt64(indexOffset)
      )
    }
    guard bounds.1 <= UInt64(indexOffset), bounds.0 <= bounds.1 else { throw damaged }
    let words = try file.bytes(at: Int(bounds.0), count: Int(bounds.1 - bounds.0)).withUnsafeBytes { bytes in
      (0..<bytes.count / 4).map { bytes.loadUnaligned(fromByteOffset: 4 * $0, as: UInt32.self) }
    }
    guard let example = ExampleWords.decode(words) else { throw damaged }
    return example
  }

  /// The number of the record that an example comes of.
  ///
  /// - Throws: `FileError` where reading fails.
  public func record(_ index: Int) throws -> Int {
    let bytes = try file.bytes(at: indexOffset + index * Self.entrySize + 16, count: 4)
    return Int(bytes.withUnsafeBytes { $0.loadUnaligned(as: UInt32.self) })
  }

  private var damaged: FileError { FileError(.malformed, file.path, "is no sound token file", remedy: "remove it: it is made again") }

  /// Writes examples as they come.
  struct Writer {
    private var index: [UInt8] = []
    private var count = 0

    mutating func put(_ example: EncodedExample, record: Int, to writer: inout CacheWriter) throws(FileError) {
      index.append(contentsOf: Self.bytes(of: UInt64(writer.count)))
      index.append(contentsOf: Self.bytes(of: Int32(clamping: example.packedLength)))
      index.append(contentsOf: Self.bytes(of: Int32(clamping: example.tokenCount)))
      index.append(contentsOf: Self.bytes(of: UInt32(clamping: record)))
      count += 1
      let words = ExampleWords.encode(example)
      try Self.put(words.withUnsafeBytes { Array($0) }, to: &writer)
    }

    func finish(_ report: EncodingReport, to writer: inout CacheWriter) throws(FileError) {
      let offset = writer.count
      try Self.put(index, to: &writer)
      let reportOffset = writer.count
      try Self.put(Array(report.json.serialized().utf8), to: &writer)
      for number in [UInt64(offset), UInt64(count), UInt64(reportOffset), TokenFile.magic] { try Self.put(Self.bytes(of: number), to: &writer) }
    }

    private static func put(_ bytes: [UInt8], to writer: inout CacheWriter) throws(FileError) {
      let result = bytes.withUnsafeBytes { bytes in Result { () throws(FileError) in try writer.put(bytes) } }
      try result.get()
    }

    private static func bytes(of number: some FixedWidthInteger) -> [UInt8] { withUnsafeBytes(of: number.littleEndian) { Array($0) } }
  }
}
