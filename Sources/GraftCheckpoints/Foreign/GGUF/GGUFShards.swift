import GraftTensors

/// A model's file of llama.cpp, or the shards that it was split into (`gguf-split`), of which the first has the metadata.
public final class GGUFShards {
  /// The path of the first file.
  public let path: String
  private let files: [GGUFFile]
  private let fileOfTensor: [String: Int]

  /// Maps the file, and its other shards where it is the first of several.
  ///
  /// - Throws: `CheckpointError` of kind `missing` for a shard that is not there, `malformed` for shards that do not belong together, and what
  ///   `GGUFFile` throws.
  public init(_ path: String) throws(CheckpointError) {
    let first = try GGUFFile(path)
    let count = first["split.count"]?.int ?? 1
    var files = [first]
    if count > 1 {
      for other in try Self.otherNames(of: first, count: count) { files.append(try GGUFFile(other)) }
    }
    for (number, file) in files.enumerated() where count > 1 {
      guard file["split.no"]?.int == number, file["split.count"]?.int == count else {
        throw .malformed(file.path, "is no shard \(number + 1) of \(count)", remedy: "fetch the shards again")
      }
    }
    var fileOfTensor: [String: Int] = [:]
    for (number, file) in files.enumerated() {
      for entry in file.entries where fileOfTensor.updateValue(number, forKey: entry.name) != nil {
        throw .malformed(file.path, "has the tensor '\(entry.name)' of another shard", remedy: "fetch the shards again")
      }
    }
    (self.path, self.files, self.fileOfTensor) = (path, files, fileOfTensor)
  }

  /// The one `.gguf` of a directory, or the first of its shards; nil where there is none.
  ///
  /// - Throws: `CheckpointError` of kind `missing` for an unreadable directory, `unsupported` where there are several models.
  package static func only(in directory: String) throws(CheckpointError) -> String? {
    let names = try directoryEntries(directory).filter { $0.hasSuffix(".gguf") }.sorted()
    let firsts = names.filter { number(of: $0).map { $0 == 1 } ?? true }
    guard firsts.count < 2 else {
      throw CheckpointError(.unsupported, directory, "holds \(firsts.joined(separator: " and "))", remedy: "name the file that is meant")
    }
    return firsts.first.map { "\(directory)/\($0)" }
  }

  /// The shard's number in a name that ends with `-00001-of-00003.gguf`; nil for any other name.
  private static func number(of name: String) -> Int? {
    let parts = name.dropLast(".gguf".count).split(separator: "-")
    guard parts.count > 3, parts[parts.count - 2] == "of", Int(parts[parts.count - 1]) != nil else { return nil }
    return Int(parts[parts.count - 3])
  }

  private static func otherNames(of first: GGUFFile, count: Int) throws(CheckpointError) -> [String] {
    let end = "-00001-of-\(fiveDigits(count)).gguf"
    guard (2...99_999).contains(count), first.path.hasSuffix(end) else {
      throw .malformed(
        first.path, "is one of \(count) shards", remedy: "name the first of them, whose name ends with -00001-of-\(fiveDigits(count)).gguf")
    }
    return (2...count).map { "\(first.path.dropLast(end.count))-\(fiveDigits($0))-of-\(fiveDigits(count)).gguf" }
  }

  private static func fiveDigits(_ number: Int) -> String {
    let digits = String(number)
    return String(repeating: "0", count: max(0, 5 - digits.count)) + digits
  }

  /// The first file, which has the metadata.
  package var head: GGUFFile { files[0] }

  /// The value under a key.
  public subscript(key: String) -> GGUFValue? { head[key] }

  /// The tensors of all files, in their order.
  package var entries: [GGUFFile.Entry] { files.flatMap(\.entries) }

  package func entry(of name: String) -> GGUFFile.Entry? { fileOfTensor[name].flatMap { files[$0].entry(of: name) } }

  /// The tensor called `name`; one in blocks as the float32 numbers that they stand for.
  ///
  /// - Throws: `CheckpointError` of kind `malformed` when there is none, and what `GGUFFile` throws.
  public func tensor(_ name: String) throws(CheckpointError) -> Tensor {
    let file = files[fileOfTensor[name] ?? 0]
    guard let entry = file.entry(of: name), GGMLMatrix.formats.contains(entry.format), let columns = entry.shape.last, columns > 0 else {
      return try file.tensor(name)
    }
    let rows = entry.shape.dropLast().reduce(1, *)
    let matrix = GGMLMatrix(try file.bytes(of: entry), format: entry.format, shape: [rows, columns])
    return matrix.decoded(rows: 0..<rows).reshaped(to: Shape(entry.shape))
  }
}
