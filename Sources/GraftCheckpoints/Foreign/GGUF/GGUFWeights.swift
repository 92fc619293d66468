import GraftTensors

/// The weights of a GGUF file under the names that they have in Transformers, quantized ones in their blocks.
public final class GGUFWeights: WeightFile {
  /// The form of a tensor in Transformers.
  public struct Counterpart: Sendable {
    /// The name, such as `model.layers.0.self_attn.q_proj.weight`.
    public let name: String
    /// For each row in Transformers its place in the file; nil where the order is the same.
    public let rowOrder: [Int32]?
    /// True where the axes of the file's tensor are exchanged.
    public let isTransposed: Bool
    /// The number that the file's elements have in excess.
    public let offset: Float

    /// A tensor of that name, the same in both unless something else is said.
    public init(_ name: String, rowOrder: [Int32]? = nil, isTransposed: Bool = false, offset: Float = 0) {
      (self.name, self.rowOrder, self.isTransposed, self.offset) = (name, rowOrder, isTransposed, offset)
    }
  }

  public let path: String
  /// The types and shapes in the form of Transformers; blocks as bytes.
  public let descriptions: [TensorDescription]
  /// The tensors in blocks.
  let blocks: [String: any QuantizedTensor]
  private let file: GGUFFile
  private let places: [String: (entry: GGUFFile.Entry, counterpart: Counterpart)]

  /// The GGUF file of a directory that has one, and no weights in another form; nil where there is none.
  /// - Throws: `CheckpointError` where there are several.
  public static func published(in directory: String) throws(CheckpointError) -> String? {
    let directory = directory.trimmingTrailingSlashes
    guard FileKind(of: directory) == .directory else { return nil }
    let others = WeightForm.allCases.flatMap { ["\(directory)/\($0.name)", "\(directory)/\($0.indexName)"] }
    guard others.allSatisfy({ FileKind(of: $0) == .nothing }) else { return nil }
    let names = try directoryEntries(directory).filter { $0.lowercased().hasSuffix(".gguf") }.sorted()
    guard let name = names.first else { return nil }
    guard names.count == 1 else {
      throw CheckpointError(
        .unsupported, directory, "has \(names.count) GGUF files, \(names[0]) and \(names[1]) among them",
        remedy: "keep the one that is to be the model")
    }
    return "\(directory)/\(name)"
  }

  /// - Parameter counterparts: the forms of tensors by their names in the file; others are left out.
  /// - Throws: `CheckpointError` of kind `unsupported` for blocks that are not decoded here.
  public init(_ file: GGUFFile, _ counterparts: [String: Counterpart]) throws(CheckpointError) {
    var places: [String: (entry: GGUFFile.Entry, counterpart: Counterpart)] = [:]
    var (descriptions, blocks) = ([TensorDescription](), [String: any QuantizedTensor]())
    for entry in file.entries {
      guard let counterpart = counterparts[entry.name] else { continue }
      let name = counterpart.name
      places[name] = (entry, counterpart)
      let shape = counterpart.isTransposed ? entry.shape.reversed() : entry.shape
      if entry.format.blockLength == 1 {
        descriptions.append(TensorDescription(name: name, elementType: ElementType(entry.format), shape: shape))
        continue
      }
      guard GGMLMatrix.formats.contains(entry.format), entry.shape.count == 2 else {
        let known = GGMLMatrix.formats.map(\.ggmlName).joined(separator: ", ")
        throw CheckpointError(
          .unsupported, file.path, "tensor '\(entry.name)' \(entry.shape) is \(entry.format.ggmlName); matrices of these formats are read: \(known)",
          remedy: "take the model in one of them, Q4_K_M for example")
      }
      descriptions.append(TensorDescription(name: name, elementType: .uint8, shape: [entry.byteCount]))
      blocks[name] = GGUFBlocks(parts: [name], shape: shape, file: file, entry: entry, counterpart: counterpart)
    }
    (path, self.file, self.places, self.descriptions, self.blocks) = (file.path, file, places, descriptions, blocks)
  }

  public func description(of name: String) -> TensorDescription? { descriptions.first { $0.name == name } }

  public func tensor(_ name: String) throws(CheckpointError) -> Tensor {
    guard let (entry, counterpart) = places[name] else { throw .malformed(path, "has no tensor '\(name)'") }
    guard blocks[name] == nil else { return try file.bytes(of: entry) }
    var tensor = try file.tensor(entry.name)
    if let order = counterpart.rowOrder {
      let rows = tensor.converted(to: .float32).reshaped(to: [order.count, tensor.elementCount / order.count])
      tensor = gatherRows(rows, Tensor(order)).reshaped(to: tensor.shape)
    }
    if counterpart.offset != 0 { tensor = tensor.converted(to: .float32) - Tensor(repeating: counterpart.offset, shape: tensor.shape) }
    return counterpart.isTransposed ? tensor.converted(to: .float32).transposed : tensor
  }

  public func withBytes<Result>(of name: String, _ body: (UnsafeRawBufferPointer) -> Result) -> Result? {
    places[name].flatMap { try? file.bytes(of: $0.entry).withUnsafeBytes(body) }
  }

  public func releasePages(of name: String) {
    if let entry = places[name]?.entry { (try? file.bytes(of: entry))?.releaseMappedPages() }
  }
}

/// A matrix in blocks of a GGUF file.
private struct GGUFBlocks: QuantizedTensor {
  let parts: [String]
  let shape: [Int]
  let file: GGUFFile
  let entry: GGUFFile.Entry
  let counterpart: GGUFWeights.Counterpart
  /// The type that they decode to.
  var elementType: ElementType { .float32 }

  func weight(from checkpoint: Checkpoint) throws(CheckpointError) -> Weight {
    let matrix = GGMLMatrix(try file.bytes(of: entry), format: entry.format, shape: Shape(entry.shape))
    return .blocks(counterpart.rowOrder.map { ReorderedRows(matrix, order: $0) } ?? matrix)
  }
}
