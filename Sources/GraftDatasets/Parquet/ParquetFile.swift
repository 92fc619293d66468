import GraftFiles
import GraftJSON

/// A Parquet file: its columns, and the row groups that hold their values.
///
/// Read are data pages of versions 1 and 2, plain or with a dictionary, uncompressed or in snappy, gzip or zstd, and columns that are nested as
/// Arrow writes lists and structures. Whatever is declared is bounded by the file's bytes before it is believed.
struct ParquetFile {
  /// The records of the file, as the footer has it.
  let recordCount: Int
  /// The bytes of all pages, expanded, as the footer has them.
  let expandedSize: Int
  private let file: RandomAccessFile
  private let root: ParquetNode
  private let groups: [ThriftValue]
  /// The values and bytes that may still be read: all pages together are bounded.
  private var valueBudget: Int
  private var byteBudget: Int

  /// - Throws: `DatasetError` for a file that is none, and `FileError` where reading fails.
  init(_ file: RandomAccessFile) throws {
    self.file = file
    let ending = try file.bytes(at: max(0, file.size - 8), count: 8)
    guard file.size >= 12, Array(ending.suffix(4)) == Array("PAR1".utf8) else { throw Self.error(file, .damaged) }
    let size = Int(ParquetPage.integer(ending[0..<4]))
    guard size <= file.size - 12 else { throw Self.error(file, .damaged) }
    do {
      var reader = ThriftReader(try file.bytes(at: file.size - 8 - size, count: size)[...])
      let footer = try reader.structure()
      var schema = ParquetSchemaReader(footer[2]?.list ?? [])
      root = try schema.root()
      groups = footer[4]?.list ?? []
    } catch is ThriftReader.Damage { throw Self.error(file, .damaged) }
    recordCount = groups.reduce(0) { $0 + max(0, min($1[3]?.int ?? 0, 1 << 40)) }
    expandedSize = groups.reduce(0) { $0 + max(0, min($1[2]?.int ?? 0, 1 << 50)) }
    (valueBudget, byteBudget) = ((1 << 20) + 64 * file.size, Compression.largestExpansion(of: file.size))
  }

  /// Hands on the records in order, a row group in memory at a time.
  ///
  /// - Throws: `DatasetError` for what is damaged or not known, `FileError` where reading fails, and what `body` throws.
  mutating func forEachRecord(_ body: (JSONObject) throws -> Void) throws {
    for group in groups {
      let (count, assembler) = try read(group)
      var assembling = assembler
      for _ in 0..<count {
        let record: JSONObject
        do { record = try assembling.record() } catch { throw Self.error(file, .damaged) }
        try body(record)
      }
    }
  }

  private mutating func read(_ group: ThriftValue) throws -> (Int, ParquetAssembler) {
    let chunks = group[1]?.list ?? []
    let leaves = root.leaves
    guard let count = group[3]?.int, (0...valueBudget).contains(count), chunks.count == leaves.count, !leaves.isEmpty else {
      throw Self.error(file, .damaged)
    }
    do {
      return (count, ParquetAssembler(root, try zip(chunks, leaves).map { try column($0, $1) }))
    } catch let fault as ParquetFault { throw Self.error(file, fault) } catch is ThriftReader.Damage { throw Self.error(file, .damaged) }
  }

  private mutating func column(_ chunk: ThriftValue, _ node: ParquetNode) throws -> ParquetColumn {
    guard chunk[1] == nil else { throw ParquetFault.unsupported("column \(node.name) is in another file") }
    guard let data = chunk[3], let total = data[5]?.int, (0...valueBudget).contains(total), let size = data[7]?.int, (0...file.size).contains(size),
      let first = data[9]?.int
    else { throw ParquetFault.damaged }
    valueBudget -= total
    // Some writers name a dictionary's page at 0 where there is none.
    let start = data[11]?.int.flatMap { $0 > 0 ? min($0, first) : nil } ?? first
    guard start >= 4, start + size <= file.size - 8 else { throw ParquetFault.damaged }
    let bytes = try file.bytes(at: start, count: size)
    var column = ParquetColumn(node)
    var dictionary: [JSON] = []
    var position = 0
    while column.count < total {
      var reader = ThriftReader(bytes[position...])
      let header = try reader.structure()
      guard let stored = header[3]?.int, stored >= 0, stored <= bytes.count - reader.position, let expanded = header[2]?.int, expanded >= 0,
        expanded <= byteBudget
      else { throw ParquetFault.damaged }
      byteBudget -= expanded
      let body = bytes[reader.position..<reader.position + stored]
      position = reader.position + stored
      let codec = data[4]?.int ?? 0
      switch header[1]?.int {
      case 0: try readPage(header[5], try Self.expand(body, codec, expanded), of: total, into: &column, dictionary)
      case 2:
        guard let count = header[7]?[1]?.int, (0...byteBudget).contains(count) else { throw ParquetFault.damaged }
        let page = try Self.expand(body, codec, expanded)
        // A value of a dictionary takes a byte, but for Boolean ones, of which none is made.
        guard count <= 8 * page.count else { throw ParquetFault.damaged }
        dictionary = try ParquetPage(page[...]).values(count, of: node, encoding: 0, dictionary: [])
      case 3: try readSecondPage(header[8], body, codec, expanded, of: total, into: &column, dictionary)
      default: continue
      }
    }
    return column
  }

  /// A data page of version 1: levels with their sizes, and values, compressed together.
  private func readPage(_ header: ThriftValue?, _ page: [UInt8], of total: Int, into column: inout ParquetColumn, _ dictionary: [JSON]) throws {
    guard let count = header?[1]?.int, count > 0, count <= total - column.count, let encoding = header?[2]?.int else { throw ParquetFault.damaged }
    var rest = page[...]
    func levels(upTo highest: Int) throws -> [UInt8] {
      guard highest > 0 else { return [] }
      guard rest.count >= 4 else { throw ParquetFault.damaged }
      let size = Int(ParquetPage.integer(rest.prefix(4)))
      guard size <= rest.count - 4 else { throw ParquetFault.damaged }
      defer { rest = rest.dropFirst(4 + size) }
      return try Self.levels(count, upTo: highest, in: rest.dropFirst(4).prefix(size))
    }
    let repetitions = try levels(upTo: column.node.repetition)
    let definitions = try levels(upTo: column.node.definition)
    try add(count, repetitions, definitions, rest, encoding, to: &column, dictionary)
  }

  /// A data page of version 2: levels uncompressed before the values.
  private func readSecondPage(
    _ header: ThriftValue?, _ body: ArraySlice<UInt8>, _ codec: Int, _ expanded: Int, of total: Int, into column: inout ParquetColumn,
    _ dictionary: [JSON]
  ) throws {
    guard let count = header?[1]?.int, count > 0, count <= total - column.count, let encoding = header?[4]?.int,
      let definitionSize = header?[5]?.int, let repetitionSize = header?[6]?.int, definitionSize >= 0, repetitionSize >= 0,
      repetitionSize <= body.count, definitionSize <= body.count - repetitionSize, definitionSize + repetitionSize <= expanded
    else { throw ParquetFault.damaged }
    let values = body.dropFirst(definitionSize + repetitionSize)
    let isCompressed = header?[7]?.bool ?? true
    let page = try isCompressed ? Self.expand(values, codec, expanded - definitionSize - repetitionSize) : Array(values)
    try add(
      count, try Self.levels(count, upTo: column.node.repetition, in: body.prefix(repetitionSize)),
      try Self.levels(count, upTo: column.node.definition, in: body.dropFirst(repetitionSize).prefix(definitionSize)), page[...], encoding,
      to: &column, dictionary)
  }

  private func add(
    _ count: Int, _ repetitions: [UInt8], _ definitions: [UInt8], _ bytes: ArraySlice<UInt8>, _ encoding: Int, to column: inout ParquetColumn,
    _ dictionary: [JSON]
  ) throws {
    let present = column.node.definition == 0 ? count : definitions.count { $0 == column.node.definition }
    column.repetitions += repetitions
    column.definitions += definitions
    column.values += try ParquetPage(bytes).values(present, of: column.node, encoding: encoding, dictionary: dictionary)
    column.count += count
  }

  private static func levels(_ count: Int, upTo highest: Int, in bytes: ArraySlice<UInt8>) throws(ParquetFault) -> [UInt8] {
    guard highest > 0 else { return [] }
    let width = Int.bitWidth - highest.leadingZeroBitCount
    let levels = try HybridRuns.values(count, width: width, in: bytes)
    guard levels.allSatisfy({ $0 <= highest }) else { throw .damaged }
    return levels.map { UInt8($0) }
  }

  private static func expand(_ bytes: ArraySlice<UInt8>, _ codec: Int, _ size: Int) throws(ParquetFault) -> [UInt8] {
    let result: [UInt8]?
    switch codec {
    case 0: result = bytes.count == size ? Array(bytes) : nil
    case 1: result = Snappy.expand(bytes, size: size)
    case 2: result = bytes.withUnsafeBytes { Compression.gzip.expand($0, size: size) }
    case 6: result = bytes.withUnsafeBytes { Compression.zstd.expand($0, size: size) }
    case let other:
      throw .unsupported("its pages are compressed by \([3: "LZO", 4: "Brotli", 5: "LZ4", 7: "LZ4"][other] ?? "codec \(other)")")
    }
    guard let result else { throw .damaged }
    return result
  }

  private static func error(_ file: RandomAccessFile, _ fault: ParquetFault) -> DatasetError {
    switch fault {
    case .damaged: DatasetError(file: file.path, problem: "is no sound Parquet file", advice: "fetch the file again, or write it anew")
    case .unsupported(let what):
      DatasetError(
        file: file.path, problem: "\(what), which is not read here",
        advice: "write it with pyarrow.parquet.write_table(table, path, compression=\"zstd\"), or as JSON Lines")
    }
  }
}
