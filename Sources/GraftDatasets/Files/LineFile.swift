import Foundation
import GraftFiles

/// A JSON Lines file whose records are read when they are wanted: an index of places in it is all that memory holds.
final class LineFile: Sendable {
  /// The file's name as the user knows it, which is another where it was unpacked.
  let name: String
  /// The number of lines that are not empty.
  let count: Int
  /// The SHA-256 of the file's bytes.
  let sha256: String
  /// The bytes of the file.
  var byteCount: Int { file.size }

  /// A record, and where its line begins.
  private struct Mark {
    var record: Int
    var offset: Int
    var line: Int
  }

  private let file: RandomAccessFile
  private let marks: [Mark]

  /// The bytes between two marks, at least: a record is found by reading so many.
  private static let spacing = 8 << 10

  /// Reads the file once.
  ///
  /// - Parameter name: the file's name as the user knows it.
  /// - Throws: `FileError` where reading fails.
  init(_ file: RandomAccessFile, name: String) throws {
    self.file = file
    self.name = name
    var marks: [Mark] = []
    var hasher = SHA256()
    var (count, line, lineStart, isInRecord) = (0, 1, 0, false)
    try file.forEachPiece { offset, bytes in
      bytes.withUnsafeBytes { piece in
        hasher.update(piece)
        var position = 0
        while position < piece.count {
          if !isInRecord {
            while position < piece.count, piece[position] != UInt8(ascii: "\n"), DataFile.isSpace(piece[position]) { position += 1 }
            if position < piece.count, piece[position] != UInt8(ascii: "\n") {
              isInRecord = true
              if marks.last.map({ lineStart - $0.offset >= Self.spacing }) ?? true {
                marks.append(Mark(record: count, offset: lineStart, line: line))
              }
              count += 1
            }
          }
          guard let end = Self.newline(in: piece, from: position) else { return }
          (position, line, lineStart, isInRecord) = (end + 1, line + 1, offset + end + 1, false)
        }
      }
    }
    sha256 = hasher.finalize()
    (self.marks, self.count) = (marks, count)
  }

  /// The record of a line, counted without empty ones.
  ///
  /// - Throws: `FileError` where reading fails, `DatasetError` for a line that holds no object in UTF-8.
  func record(_ index: Int) throws -> DataRecord {
    let place = marks.partitioningIndex { $0.record > index } - 1
    let end = place + 1 < marks.count ? marks[place + 1].offset : file.size
    let bytes = try file.bytes(at: marks[place].offset, count: end - marks[place].offset)
    var (record, line, start) = (marks[place].record, marks[place].line, 0)
    while true {
      let stop = bytes.withUnsafeBytes { Self.newline(in: $0, from: start) } ?? bytes.count
      let text = bytes[start..<stop]
      if text.contains(where: { !DataFile.isSpace($0) }) {
        if record == index { return try parsed(text, line: line) }
        record += 1
      }
      (start, line) = (stop + 1, line + 1)
      guard start < bytes.count else { throw FileError(.inputOutput, name, "has changed while it was read", remedy: "leave it alone during a run") }
    }
  }

  private func parsed(_ text: ArraySlice<UInt8>, line: Int) throws(DatasetError) -> DataRecord {
    let text = line == 1 ? TextFile.withoutMark(text) : text
    guard String(validating: text, as: UTF8.self) != nil else {
      throw DatasetError(file: name, line: line, problem: "the line is not UTF-8", advice: "save the file as UTF-8")
    }
    return try DataFile.jsonRecord(in: text, file: name, line: line)
  }

  private static func newline(in bytes: UnsafeRawBufferPointer, from start: Int) -> Int? {
    guard let base = bytes.baseAddress, start < bytes.count, let found = memchr(base + start, 0x0A, bytes.count - start) else { return nil }
    return UnsafeRawPointer(found) - base
  }
}

extension Array {
  /// The index of the first element of a partitioned array for which `isBehind` holds; the number of elements where it holds for none.
  fileprivate func partitioningIndex(_ isBehind: (Element) -> Bool) -> Int {
    var range = startIndex..<endIndex
    while !range.isEmpty {
      let middle = (range.lowerBound + range.upperBound) / 2
      range = isBehind(self[middle]) ? range.lowerBound..<middle : middle + 1..<range.upperBound
    }
    return range.lowerBound
  }
}
