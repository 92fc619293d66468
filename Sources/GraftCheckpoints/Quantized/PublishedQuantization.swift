import GraftTensors

/// A tensor in a form that models are published in by those who trained them, read as its blocks.
struct PublishedQuantization: QuantizedTensor {
  /// The encoding of the parts.
  enum Encoding {
    /// MXFP4 (Rouhani et al. 2023, "Microscaling Data Formats"): 32 numbers of 4 bits with a power of two, input by output when read
    /// (gpt-oss).
    case microscaledFloat4
    /// E4M3 numbers, of which each square of 128 rows and columns has a factor (DeepSeek-AI 2024, "DeepSeek-V3", section 3.3.2).
    case squareScaledFloat8
  }

  let encoding: Encoding
  /// The names of the elements and of their scales.
  let elements: String, scales: String
  let shape: [Int]

  var parts: [String] { [elements, scales] }

  /// The type that it is read as, which holds MXFP4's numbers exactly.
  var elementType: ElementType { encoding == .microscaledFloat4 ? .bfloat16 : .float32 }

  /// The quantized tensors among those of a checkpoint, by the names of what they stand for.
  static func find(in descriptions: [TensorDescription]) -> [String: any QuantizedTensor] {
    let known = Dictionary(descriptions.map { ($0.name, $0) }) { first, _ in first }
    var found: [String: any QuantizedTensor] = [:]
    for description in descriptions {
      let shape = description.shape
      if description.name.hasSuffix("_blocks"), description.elementType == .uint8, shape.count == 4, shape[3] == 16, shape[0] > 0 {
        let name = String(description.name.dropLast("_blocks".count))
        guard let scales = known[name + "_scales"], scales.elementType == .uint8, scales.shape == Array(shape.dropLast()) else { continue }
        found[name] = PublishedQuantization(
          encoding: .microscaledFloat4, elements: description.name, scales: scales.name, shape: [shape[0], 32 * shape[2], shape[1]])
      } else if description.elementType == .float8E4M3, shape.count == 2, let scales = known[description.name + "_scale_inv"] {
        guard scales.shape == SquareScaledMatrix.factorShape(of: shape) else { continue }
        found[description.name] = PublishedQuantization(
          encoding: .squareScaledFloat8, elements: description.name, scales: scales.name, shape: shape)
      }
    }
    return found
  }

  func weight(from checkpoint: Checkpoint) throws(CheckpointError) -> Weight {
    let (codes, scales) = (try checkpoint.storedBytes(elements), try checkpoint.storedTensor(scales))
    switch encoding {
    case .squareScaledFloat8:
      let factors = scales.converted(to: .float32)
      guard factors.firstNonFiniteIndex == nil else {
        throw .malformed(checkpoint.directory, "the factors of '\(elements)' are not finite", remedy: "fetch the checkpoint again")
      }
      return .blocks(SquareScaledMatrix(codes, factors: factors, shape: Shape(shape)))
    case .microscaledFloat4:
      // `[experts, outputs, groups, 16]` bytes: a matrix an expert, output by input.
      let (experts, inputs, outputs) = (shape[0], shape[1], shape[2])
      func part(_ bytes: Tensor, _ expert: Int) -> Tensor { bytes.reshaped(to: [experts, bytes.elementCount / experts]).rows(expert..<expert + 1) }
      return .blocks(
        StackedBlocks(
          (0..<experts).map { expert in
            TransposedBlocks(MicroscaledMatrix(part(codes, expert), exponents: part(scales, expert), shape: [outputs, inputs]))
          }))
    }
  }
}
