import Foundation
import GraftTensors

/// The names under which bitsandbytes keeps the parts of a quantized matrix beside it, and what they must be.
enum BitsAndBytesLayout {
  static let factors = ".absmax", nestedFactors = ".nested_absmax", code = ".quant_map", nestedCode = ".nested_quant_map"
  static let statePrefix = ".quant_state.bitsandbytes__"
  /// Beside the layer rather than its matrix: the rows' factors, and the number of the order of bytes.
  static let rowFactors = "SCB", byteOrder = "weight_format"

  /// The quantized matrices among the tensors of a checkpoint, by their names.
  ///
  /// - Parameters:
  ///   - directory: the checkpoint, for errors.
  ///   - bytes: reads the bytes of a tensor.
  /// - Throws: `CheckpointError` of kind `malformed` for a description that makes no sense, `unsupported` for a layout of bytes that
  ///   has been given up.
  static func find(
    in descriptions: [TensorDescription], of directory: String, bytes: (String) -> [UInt8]
  ) throws(CheckpointError) -> [String: any QuantizedTensor] {
    let known = Dictionary(descriptions.map { ($0.name, $0) }) { first, _ in first }
    var found: [String: any QuantizedTensor] = [:]
    for description in descriptions {
      if let range = description.name.range(of: statePrefix), description.elementType == .uint8 {
        let name = String(description.name[..<range.lowerBound])
        guard let elements = known[name] else { throw .malformed(directory, "'\(description.name)' describes '\(name)', which is not there") }
        let state = try BitsAndBytesState(bytes(description.name), of: name, in: directory)
        found[name] = try BitsAndBytesFourBits(elements, state, description.name, known, in: directory)
      } else if description.name.hasSuffix("." + rowFactors) {
        let layer = String(description.name.dropLast(rowFactors.count))
        guard let elements = known[layer + "weight"], elements.elementType == .int8 else { continue }
        found[elements.name] = try BitsAndBytesEightBits(elements, description, order: known[layer + byteOrder], in: directory, bytes: bytes)
      }
    }
    return found
  }
}

/// A matrix in codes of 4 bits, with what bitsandbytes says of it.
struct BitsAndBytesFourBits: QuantizedTensor {
  let parts: [String]
  let shape: [Int]
  let elementType: ElementType
  private let name: String
  private let state: BitsAndBytesState

  /// - Throws: `CheckpointError` of kind `malformed` where parts are missing or do not have the sizes that the state implies.
  init(
    _ elements: TensorDescription, _ state: BitsAndBytesState, _ stateName: String, _ known: [String: TensorDescription], in directory: String
  ) throws(CheckpointError) {
    name = elements.name
    self.state = state
    let suffixes =
      [BitsAndBytesLayout.factors, BitsAndBytesLayout.code]
      + (state.nested == nil
        ? []
        : [
          BitsAndBytesLayout.nestedFactors, BitsAndBytesLayout.nestedCode,
        ])
    (shape, elementType) = (state.shape, state.elementType)
    parts = [name] + suffixes.map { [name] in name + $0 } + [stateName]
    func require(_ name: String, _ type: ElementType?, bytes: Int) throws(CheckpointError) {
      guard let part = known[name] else { throw .malformed(directory, "'\(elements.name)' lacks its part '\(name)'") }
      guard type.map({ part.elementType == $0 }) ?? true, part.byteCount == bytes else {
        throw .malformed(
          directory,
          "'\(name)' has \(part.byteCount) bytes of \(part.elementType.rawValue); \(shape) in blocks of \(state.blockLength) takes \(bytes)")
      }
    }
    let count = shape[0] * shape[1]
    let blocks = (count + state.blockLength - 1) / state.blockLength
    // Bytes of codes may be stored under any type.
    try require(name, nil, bytes: (count + 1) / 2)
    try require(name + BitsAndBytesLayout.code, .float32, bytes: 16 * 4)
    guard let nested = state.nested else {
      try require(name + BitsAndBytesLayout.factors, .float32, bytes: 4 * blocks)
      return
    }
    try require(name + BitsAndBytesLayout.factors, .uint8, bytes: blocks)
    try require(name + BitsAndBytesLayout.nestedFactors, .float32, bytes: 4 * ((blocks + nested.blockLength - 1) / nested.blockLength))
    try require(name + BitsAndBytesLayout.nestedCode, .float32, bytes: 256 * 4)
  }

  func weight(from checkpoint: Checkpoint) throws(CheckpointError) -> Weight {
    func part(_ suffix: String) throws(CheckpointError) -> Tensor { try checkpoint.storedTensor(name + suffix) }
    guard try part(BitsAndBytesLayout.code).values == state.code.numbers else {
      throw .malformed(checkpoint.directory, "'\(name)\(BitsAndBytesLayout.code)' are not the numbers of \(state.code.format)")
    }
    let factors = try part(BitsAndBytesLayout.factors)
    var nested: BlockFactors.Nested?
    if let second = state.nested {
      nested = BlockFactors.Nested(
        codes: factors, numbers: try part(BitsAndBytesLayout.nestedCode), group: second.blockLength, offset: second.offset)
    }
    let values = nested == nil ? factors : try part(BitsAndBytesLayout.nestedFactors)
    guard values.firstNonFiniteIndex == nil, nested?.numbers.firstNonFiniteIndex == nil else {
      throw .malformed(checkpoint.directory, "the factors of '\(name)' are not finite", remedy: "fetch the checkpoint again")
    }
    let codes = try checkpoint.storedTensor(name).reinterpretedAsBytes()
    return .blocks(
      FourBitMatrix(codes, factors: BlockFactors(values, nested: nested), code: state.code, blockLength: state.blockLength, shape: Shape(shape)))
  }
}

/// A matrix of bytes with a factor a row.
struct BitsAndBytesEightBits: QuantizedTensor {
  let parts: [String]
  let shape: [Int]
  /// LLM.int8() rounds to it before it quantizes.
  var elementType: ElementType { .float16 }

  init(
    _ elements: TensorDescription, _ factors: TensorDescription, order: TensorDescription?, in directory: String, bytes: (String) -> [UInt8]
  ) throws(CheckpointError) {
    guard elements.shape.count == 2, factors.elementType == .float32, factors.elementCount == elements.shape[0] else {
      throw .malformed(directory, "'\(factors.name)' has shape \(factors.shape); '\(elements.name)' \(elements.shape) needs a factor a row")
    }
    // Other orders were for processors of ten years ago.
    if let order, !bytes(order.name).allSatisfy({ $0 == 0 }) {
      throw CheckpointError(
        .unsupported, directory, "'\(order.name)' is not 0, rows in their order", remedy: "save it with bitsandbytes 0.43 or later")
    }
    shape = elements.shape
    parts = [elements.name, factors.name] + (order.map { [$0.name] } ?? [])
  }

  func weight(from checkpoint: Checkpoint) throws(CheckpointError) -> Weight {
    let factors = try checkpoint.storedTensor(parts[1])
    guard factors.firstNonFiniteIndex == nil else {
      throw .malformed(checkpoint.directory, "the factors of '\(parts[0])' are not finite", remedy: "fetch the checkpoint again")
    }
    return .blocks(RowScaledMatrix(try checkpoint.storedTensor(parts[0]), factors: factors))
  }
}
