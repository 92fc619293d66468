import GraftJSON

/// The values of a column in a row group, with their levels, and how far they have been read.
struct ParquetColumn {
  let node: ParquetNode
  /// One a value or a missing one; empty where nothing repeats.
  var repetitions: [UInt8] = []
  /// One a value or a missing one; empty where everything is there.
  var definitions: [UInt8] = []
  /// The values that are there.
  var values: [JSON] = []
  /// The number of values and missing ones.
  var count = 0

  private var position = 0
  private var valuePosition = 0

  init(_ node: ParquetNode) { self.node = node }

  /// The level at which the next value is there.
  var definition: Int {
    get throws(ThriftReader.Damage) {
      guard position < count else { throw ThriftReader.Damage() }
      return node.definition == 0 ? 0 : Int(definitions[position])
    }
  }

  /// The level at which the next value repeats; -1 at the end.
  var repetition: Int { position < count ? (node.repetition == 0 ? 0 : Int(repetitions[position])) : -1 }

  /// The next value; null where it is missing.
  mutating func next() throws(ThriftReader.Damage) -> JSON {
    let isThere = try definition == node.definition
    position += 1
    guard isThere else { return .null }
    guard valuePosition < values.count else { throw ThriftReader.Damage() }
    defer { valuePosition += 1 }
    return values[valuePosition]
  }
}

/// Puts the values of columns together into records, as the levels say (Melnik et al. 2010, "Dremel", section 4.3).
struct ParquetAssembler {
  private let root: ParquetNode
  private var columns: [ParquetColumn]

  init(_ root: ParquetNode, _ columns: [ParquetColumn]) { (self.root, self.columns) = (root, columns) }

  /// The next record.
  mutating func record() throws(ThriftReader.Damage) -> JSONObject { try structure(root) }

  private mutating func structure(_ node: ParquetNode) throws(ThriftReader.Damage) -> JSONObject {
    var fields = JSONObject()
    for child in node.children { fields[child.name] = try child.isRepeated ? .array(elements(of: child)) : value(of: child) }
    return fields
  }

  private mutating func value(of node: ParquetNode) throws(ThriftReader.Damage) -> JSON {
    guard let group = node.group else { return try columns[node.columns.lowerBound].next() }
    if node.isOptional, try definition(of: node) < node.definition {
      try skip(node)
      return .null
    }
    switch group {
    case .structure: return .object(try structure(node))
    case .list: return .array(try elements(of: node.children[0]))
    case .map:
      let entries = try elements(of: node.children[0])
      let pairs = entries.compactMap { $0.object }.compactMap { entry in
        entry.count == 2 ? entry[0].value.string.map { ($0, entry[1].value) } : nil
      }
      return pairs.count == entries.count ? .object(JSONObject(pairs)) : .array(entries)
    }
  }

  /// The elements of a repeated node; of a list's they are the only member of it.
  private mutating func elements(of node: ParquetNode) throws(ThriftReader.Damage) -> [JSON] {
    guard try definition(of: node) >= node.definition else {
      try skip(node)
      return []
    }
    var elements: [JSON] = []
    let isWrapped = node.group != nil && node.children.count == 1 && node.name != "array" && !node.name.hasSuffix("_tuple")
    repeat {
      if isWrapped, !node.children[0].isRepeated {
        elements.append(try value(of: node.children[0]))
      } else {
        elements.append(node.group == nil ? try columns[node.columns.lowerBound].next() : .object(try structure(node)))
      }
    } while columns[node.columns.lowerBound].repetition == node.repetition
    return elements
  }

  private func definition(of node: ParquetNode) throws(ThriftReader.Damage) -> Int {
    guard node.columns.lowerBound < columns.count, !node.columns.isEmpty else { throw ThriftReader.Damage() }
    return try columns[node.columns.lowerBound].definition
  }

  /// Passes over what is missing in every column of a node.
  private mutating func skip(_ node: ParquetNode) throws(ThriftReader.Damage) {
    for column in node.columns { _ = try columns[column].next() }
  }
}
