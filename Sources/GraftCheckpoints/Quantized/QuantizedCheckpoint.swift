import GraftJSON
import GraftTensors

/// A checkpoint's tensors with some matrices in a quantized form, as Transformers reads them.
public struct QuantizedCheckpoint {
  private var kept: [TensorDescription]
  private var parts: [String: (description: TensorDescription, tensor: Tensor)] = [:]
  private let checkpoint: Checkpoint
  private let quantization: WeightQuantization
  private let elementType: ElementType
  /// The sums of squares of what the matrices lost, and of themselves.
  private var lost = 0.0, whole = 0.0

  /// - Parameters:
  ///   - checkpoint: unquantized.
  /// - Precondition: the quantization has a layout of Transformers.
  public init(_ checkpoint: Checkpoint, as quantization: WeightQuantization) {
    guard case .transformers = quantization.layout else { preconditionFailure("\(quantization) as a checkpoint of Transformers") }
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
    for part in Self.parts(of: blocks, name, type) { parts[part.description.name] = part }
    kept.removeAll { $0.name == name }
  }

  private static func parts(
    of blocks: any BlockMatrix, _ name: String, _ type: ElementType
  ) -> [(description: TensorDescription, tensor: Tensor)] {
    if let matrix = blocks as? SquareScaledMatrix { return Float8Layout.parts(of: matrix, name: name) }
    return (BitsAndBytesLayout.parts(of: blocks, name: name, elementType: type) ?? []).map {
      (TensorDescription(name: $0.name, of: $0.tensor), $0.tensor)
    }
  }

  /// Writes the model with its other files.
  ///
  /// - Parameters:
  ///   - skipped: the linear layers that stay as they are.
  ///   - writer: writes the directory.
  /// - Throws: `CheckpointError` of kind `cannotCreate` or `inputOutput`.
  public func write(skipping skipped: [String], with writer: ModelDirectoryWriter) throws {
    var configuration = try checkpoint.configuration()
    configuration["quantization_config"] =
      quantization == .fp8E4M3
      ? Float8Layout.configuration(skipping: skipped)
      : BitsAndBytesLayout.configuration(quantization, elementType: elementType, skipping: skipped)
    let descriptions = kept + parts.values.map(\.description)
    try writer.write(descriptions, configuration: configuration, copyingFilesFrom: checkpoint.directory) { description in
      try parts[description.name]?.tensor ?? checkpoint.tensor(description.name)
    }
  }
}
