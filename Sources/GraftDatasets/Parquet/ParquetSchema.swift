/// A column of a Parquet file, or a group of columns.
final class ParquetNode: Sendable {
  /// The form of a group.
  enum Group: Sendable { case structure, list, map }

  let name: String
  let isOptional: Bool
  let isRepeated: Bool
  /// Nil for a column.
  let group: Group?
  let children: [ParquetNode]
  /// The physical type of a column (BOOLEAN 0, INT32 1, INT64 2, INT96 3, FLOAT 4, DOUBLE 5, BYTE_ARRAY 6, FIXED_LEN_BYTE_ARRAY 7).
  let type: Int
  /// The bytes of a value of fixed length.
  let typeLength: Int
  /// The level at which the node is there (Melnik et al. 2010, "Dremel").
  let definition: Int
  /// The level at which it repeats.
  let repetition: Int
  /// The numbers of the columns in the node.
  let columns: Range<Int>

  init(
    name: String, isOptional: Bool, isRepeated: Bool, group: Group?, children: [ParquetNode], type: Int, typeLength: Int, definition: Int,
    repetition: Int, columns: Range<Int>
  ) {
    (self.name, self.isOptional, self.isRepeated, self.group) = (name, isOptional, isRepeated, group)
    (self.children, self.type, self.typeLength) = (children, type, typeLength)
    (self.definition, self.repetition, self.columns) = (definition, repetition, columns)
  }

  /// The columns in the node, in order.
  var leaves: [ParquetNode] { group == nil ? [self] : children.flatMap(\.leaves) }
}

/// Builds the tree of columns from the flat list in the footer.
struct ParquetSchemaReader {
  private let elements: [ThriftValue]
  private var next = 0
  private var columnCount = 0

  init(_ elements: [ThriftValue]) { self.elements = elements }

  /// The root, whose children are the columns of the records.
  mutating func root() throws(ThriftReader.Damage) -> ParquetNode { try node(definition: 0, repetition: 0, depth: 0) }

  private mutating func node(definition: Int, repetition: Int, depth: Int) throws(ThriftReader.Damage) -> ParquetNode {
    guard next < elements.count, depth < 32, let name = elements[next][4]?.text else { throw ThriftReader.Damage() }
    let element = elements[next]
    next += 1
    let (isOptional, isRepeated) = depth == 0 ? (false, false) : (element[3]?.int == 1, element[3]?.int == 2)
    let definition = definition + (isOptional || isRepeated ? 1 : 0)
    let repetition = repetition + (isRepeated ? 1 : 0)
    let first = columnCount
    var children: [ParquetNode] = []
    let childCount = element[5]?.int ?? 0
    guard (0...elements.count).contains(childCount), (depth > 0 && childCount == 0) == (element[1] != nil) else { throw ThriftReader.Damage() }
    for _ in 0..<childCount { children.append(try node(definition: definition, repetition: repetition, depth: depth + 1)) }
    if element[1] != nil { columnCount += 1 }
    return ParquetNode(
      name: name, isOptional: isOptional, isRepeated: isRepeated, group: element[1] != nil ? nil : Self.group(element, children), children: children,
      type: element[1]?.int ?? 0, typeLength: element[2]?.int ?? 0, definition: definition, repetition: repetition, columns: first..<columnCount)
  }

  private static func group(_ element: ThriftValue, _ children: [ParquetNode]) -> ParquetNode.Group {
    guard children.count == 1, children[0].isRepeated else { return .structure }
    if element[6]?.int == 3 || element[10]?[3] != nil { return .list }
    let isMap = element[6]?.int == 1 || element[6]?.int == 2 || element[10]?[2] != nil
    return isMap && children[0].children.count == 2 ? .map : .structure
  }
}
