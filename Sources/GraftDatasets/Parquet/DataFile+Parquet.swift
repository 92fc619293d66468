import GraftFiles
import GraftJSON

extension DataFile {
  /// The records of a Parquet file; each one's line is its number.
  static func parquetRecords(of path: String) throws(DatasetError) -> [DataRecord] {
    do {
      var parquet = try ParquetFile(RandomAccessFile(path))
      var records: [DataRecord] = []
      try parquet.forEachRecord { records.append(DataRecord($0, file: path, line: records.count + 1)) }
      return records
    } catch let error as DatasetError { throw error } catch let error as FileError { throw DatasetError(path, error) } catch {
      throw DatasetError(file: path, problem: "\(error)", advice: "check the file")
    }
  }

  /// A Parquet file as JSON Lines, into which it is unpacked once; nil for one that has no more than `limit` bytes.
  static func parquetLines(of file: RandomAccessFile, above limit: Int) throws -> LineFile? {
    var parquet = try ParquetFile(file)
    guard parquet.expandedSize > limit else { return nil }
    let unpacked = try CacheDirectory.file("data-\(try file.sha256()).jsonl") { writer in
      try parquet.forEachRecord { record in
        var line = JSON.object(record).serialized() + "\n"
        try line.withUTF8 { try writer.put(UnsafeRawBufferPointer($0)) }
      }
    }
    return try lines(in: RandomAccessFile(unpacked), name: file.path)
  }
}
