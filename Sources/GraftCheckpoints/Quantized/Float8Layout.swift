import GraftJSON
import GraftTensors

/// The names under which Transformers keeps matrices of floating-point numbers of 8 bits (`finegrained_fp8`).
enum Float8Layout {
  /// The tensors that stand for a matrix, and their types there.
  static func parts(of matrix: SquareScaledMatrix, name: String) -> [(description: TensorDescription, tensor: Tensor)] {
    let factors = name + "_scale_inv"
    return [
      (TensorDescription(name: name, elementType: .float8E4M3, shape: matrix.shape.dimensions), matrix.codes),
      (TensorDescription(name: factors, of: matrix.factors), matrix.factors),
    ]
  }

  /// The `quantization_config` that Transformers reads.
  /// - Parameter skipped: the linear layers that stay as they are.
  static func configuration(skipping skipped: [String]) -> JSON {
    let side = JSON.integer(SquareScaledMatrix.side)
    return [
      "quant_method": "fp8", "activation_scheme": "dynamic", "weight_block_size": .array([side, side]),
      "modules_to_not_convert": .array(skipped.map(JSON.string)),
    ]
  }
}
