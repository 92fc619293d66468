import Foundation
import GraftFiles
import GraftJSON

extension DataFile {
  /// A file of records that is too large to be held in memory: a JSON Lines file, or one that a compressed or Parquet file was unpacked to; nil for
  /// a smaller one, and for one of another type.
  ///
  /// - Parameter limit: the most bytes, expanded, that are held in memory.
  /// - Throws: `DatasetError` and `FileError` for a file that cannot be read or unpacked.
  static func lines(of path: String, above limit: Int) throws -> LineFile? {
    let name = DataFileName(path)
    guard name.isLines || name.isParquet else { return nil }
    let file: RandomAccessFile
    do { file = try RandomAccessFile(path) } catch { throw DatasetError(path, error) }
    do {
      if name.isParquet { return try parquetLines(of: file, above: limit) }
      guard let compression = Compression(path: path) else { return file.size > limit ? try lines(in: file, name: path) : nil }
      guard try expandsBeyond(limit, file, compression) else { return nil }
      let unpacked = try CacheDirectory.file("data-\(try file.sha256()).jsonl") { writer in
        try compression.expand(file) { bytes in
          try writer.put(bytes)
          return true
        }
      }
      return try lines(in: RandomAccessFile(unpacked), name: path)
    } catch let error as FileError where error.path == path { throw DatasetError(path, error) }
  }

  /// The lines of a file; nil for one that is a JSON array, which has to be read whole.
  static func lines(in file: RandomAccessFile, name: String) throws -> LineFile? {
    let start = TextFile.withoutMark(try file.bytes(at: 0, count: 1 << 16))
    if start.first(where: { !isSpace($0) }) == UInt8(ascii: "[") { return nil }
    let lines = try LineFile(file, name: name)
    guard lines.count > 0 else { throw DatasetError(file: name, problem: "the file holds no records", advice: "add at least one") }
    return lines
  }

  private static func expandsBeyond(_ limit: Int, _ file: RandomAccessFile, _ compression: Compression) throws -> Bool {
    var size = 0
    try compression.expand(file) { bytes in
      size += bytes.count
      return size <= limit
    }
    return size > limit
  }

  /// The files of paths in which `~` is the home folder and `*`, `?` and `[...]` stand for what is there, in alphabetical order.
  ///
  /// - Throws: `DatasetError` for a pattern that nothing matches.
  public static func expanded(_ paths: [String]) throws(DatasetError) -> [String] {
    var files: [String] = []
    for path in paths {
      let whole = path.hasPrefix("~") ? (path as NSString).expandingTildeInPath : path
      // A file of that very name comes first, whatever the characters of its name.
      guard whole.contains(where: { "*?[".contains($0) }), access(whole, F_OK) != 0 else {
        files.append(whole)
        continue
      }
      let found = matches(of: whole)
      guard !found.isEmpty else {
        throw DatasetError(file: path, problem: "no file matches the pattern", advice: "check it, or name the files", kind: .noSuchFile)
      }
      files += found
    }
    return files
  }

  private static func matches(of pattern: String) -> [String] {
    var result = glob_t()
    defer { globfree(&result) }
    guard glob(pattern, 0, nil, &result) == 0 else { return [] }
    return (0..<Int(result.gl_pathc)).compactMap { result.gl_pathv[$0].map { String(cString: $0) } }
  }
}
