import GraftJSON
import GraftTensors

extension BitsAndBytesLayout {
  /// The tensors that stand for a quantized matrix in a checkpoint.
  ///
  /// - Parameters:
  ///   - name: the matrix, such as `model.layers.0.mlp.up_proj.weight`.
  ///   - elementType: the type that it had.
  /// - Returns: nil for a format that bitsandbytes does not have.
  static func parts(of matrix: any BlockMatrix, name: String, elementType: ElementType) -> [(name: String, tensor: Tensor)]? {
    switch matrix {
    case let matrix as FourBitMatrix:
      let state = BitsAndBytesState(matrix, elementType: elementType)
      var parts = [
        (name, matrix.codes.reshaped(to: [matrix.codes.elementCount, 1])), (name + code, Tensor(matrix.code.numbers)),
        (name + statePrefix + matrix.code.format.description, Tensor(bytes: state.json.serializedBytes())),
      ]
      guard let nested = matrix.factors.nested else { return parts + [(name + factors, matrix.factors.values)] }
      parts += [(name + factors, nested.codes), (name + nestedFactors, matrix.factors.values), (name + nestedCode, nested.numbers)]
      return parts
    case let matrix as RowScaledMatrix:
      let layer = String(name.dropLast("weight".count))
      let order = Tensor(bytes: [0]).reshaped(to: Shape([]))
      return [(name, matrix.codes), (layer + rowFactors, matrix.factors), (layer + byteOrder, order)]
    default: return nil
    }
  }

  /// The `quantization_config` that Transformers reads.
  /// - Parameters:
  ///   - elementType: the type that the unquantized tensors have, in which it computes.
  ///   - skipped: the linear layers that stay as they are.
  static func configuration(_ quantization: WeightQuantization, elementType: ElementType, skipping skipped: [String]) -> JSON {
    let isFourBit = quantization != .int8
    let type = elementType.dtype?.description ?? "float32"
    return [
      "quant_method": "bitsandbytes", "load_in_4bit": .bool(isFourBit), "load_in_8bit": .bool(!isFourBit),
      "bnb_4bit_compute_dtype": .string(type), "bnb_4bit_quant_storage": "uint8",
      "bnb_4bit_quant_type": .string(isFourBit ? quantization.rawValue : "fp4"), "bnb_4bit_use_double_quant": .bool(isFourBit),
      "llm_int8_enable_fp32_cpu_offload": false, "llm_int8_has_fp16_weight": false,
      "llm_int8_skip_modules": .array(skipped.map(JSON.string)), "llm_int8_threshold": 6.0,
    ]
  }
}

/// A checkpoint's tensors with some matrices in a quantized form, as bitsandbytes and Transformers read them.
public struct QuantizedCheckpoint {
  private var kept: [TensorDescription]
  private var parts: [String: Tensor] = [:]
  private let checkpoint: Checkpoint
  private let quantization: WeightQuantization
  private let elementType: ElementType
  /// The sums of squares of what the matrices lost, and of themselves.
  private var lost = 0.0, whole = 0.0

  /// - Parameters:
  ///   - checkpoint: unquantized.
  public init(_ checkpoint: Checkpoint, as quantization: WeightQuantization) {
    (self.checkpoint, self.quantization, kept) = (checkpoint, quantization, checkpoint.descriptions)
    elementType = kept.max { $0.elementCount < $1.elementCount }?.elementType ?? .float32
  }

  /// The relative error of the quantized matrices: the root of the squares that they lost by those that they have.
  public var relativeError: Double { whole > 0 ? (lost / whole).squareRoot() : 0 }

  /// Quantizes one matrix.
  ///
  /// - Parameters:
  ///   - name: its tensor.
  ///   - layout: the order of its axes; it is stored output by input.
  /// - Throws: `CheckpointError` where it is missing, or holds what cannot be quantized.
  public mutating func quantize(_ name: String, _ layout: WeightLayout) throws(CheckpointError) {
    let stored = try checkpoint.tensor(name)
    let matrix = layout == .outputByInput ? stored : stored.converted(to: .float32).transposed
    let blocks: any BlockMatrix
    do { blocks = try quantization.encode(matrix) } catch { throw .malformed(checkpoint.directory, "'\(name)' \(error)") }
    let values = matrix.converted(to: .float32)
    lost += (values - Weight.blocks(blocks).dense()).sumOfSquares
    whole += values.sumOfSquares
    stored.releaseMappedPages()
    let type = checkpoint.description(of: name)?.elementType ?? .float32
    for part in BitsAndBytesLayout.parts(of: blocks, name: name, elementType: type) ?? [] { parts[part.name] = part.tensor }
    kept.removeAll { $0.name == name }
  }

  /// Writes the model with its other files.
  ///
  /// - Parameters:
  ///   - skipped: the linear layers that stay as they are.
  ///   - writer: writes the directory.
  /// - Throws: `CheckpointError` of kind `cannotCreate` or `inputOutput`.
  public func write(skipping skipped: [String], with writer: ModelDirectoryWriter) throws {
    var configuration = try checkpoint.configuration()
    configuration["quantization_config"] = BitsAndBytesLayout.configuration(quantization, elementType: elementType, skipping: skipped)
    let descriptions = kept + parts.map { TensorDescription(name: $0.key, of: $0.value) }
    try writer.write(descriptions, configuration: configuration, copyingFilesFrom: checkpoint.directory) { description in
      try parts[description.name] ?? checkpoint.tensor(description.name)
    }
  }
}
