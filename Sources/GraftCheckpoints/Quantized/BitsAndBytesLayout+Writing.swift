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
