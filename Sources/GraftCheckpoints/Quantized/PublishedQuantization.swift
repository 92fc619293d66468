import GraftTensors

/// A tensor in a form that models are published in by those who trained them; it is read as the numbers that its parts stand for.
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

  func weight(from checkpoint: Checkpoint) throws(CheckpointError) -> Weight {
    let scales = try checkpoint.storedTensor(scales)
    guard let numbers = checkpoint.withBytes(of: elements, { decoded($0, scales: scales) }) else {
      throw .malformed(checkpoint.directory, "the checkpoint has no tensor '\(elements)'")
    }
    return .dense(numbers)
  }

  /// The type that it is read as, which holds MXFP4's numbers exactly.
  var elementType: ElementType { encoding == .microscaledFloat4 ? .bfloat16 : .float32 }

  private static let square = 128

  /// The quantized tensors among those of a checkpoint, by the names of what they stand for.
  static func find(in descriptions: [TensorDescription]) -> [String: any QuantizedTensor] {
    let known = Dictionary(descriptions.map { ($0.name, $0) }) { first, _ in first }
    var found: [String: any QuantizedTensor] = [:]
    for description in descriptions {
      let shape = description.shape
      if description.name.hasSuffix("_blocks"), description.elementType == .uint8, shape.count == 4, shape[3] == 16 {
        let name = String(description.name.dropLast("_blocks".count))
        guard let scales = known[name + "_scales"], scales.shape == Array(shape.dropLast()) else { continue }
        found[name] = PublishedQuantization(
          encoding: .microscaledFloat4, elements: description.name, scales: scales.name, shape: [shape[0], 32 * shape[2], shape[1]])
      } else if description.elementType == .float8E4M3, shape.count == 2, let scales = known[description.name + "_scale_inv"] {
        guard scales.shape == shape.map({ ($0 + square - 1) / square }) else { continue }
        found[description.name] = PublishedQuantization(
          encoding: .squareScaledFloat8, elements: description.name, scales: scales.name, shape: shape)
      }
    }
    return found
  }

  /// The numbers, of the bytes of the elements and the scales.
  private func decoded(_ bytes: UnsafeRawBufferPointer, scales: Tensor) -> Tensor {
    switch encoding {
    case .microscaledFloat4: decodedFloat4(bytes, scales)
    case .squareScaledFloat8: decodedFloat8(bytes, scales.converted(to: .float32))
    }
  }

  /// `[experts, outputs, groups, 16]` bytes of two numbers each, the lower half first, as `[experts, 32 * groups, outputs]`.
  private func decodedFloat4(_ bytes: UnsafeRawBufferPointer, _ scales: Tensor) -> Tensor {
    let (experts, inputs, outputs) = (shape[0], shape[1], shape[2])
    let out = Tensor(uninitialized: Shape(shape))
    let o = out.mutablePointer
    scales.withUnsafeBytes { exponents in
      parallel(experts * outputs) { row in
        let expert = row / outputs
        for group in 0..<inputs / 32 {
          let place = row * (inputs / 32) + group
          let factor = Float(sign: .plus, exponent: Int(exponents[place]) - 127, significand: 1)
          for pair in 0..<16 {
            let byte = bytes[place * 16 + pair]
            let at = (expert * inputs + group * 32 + 2 * pair) * outputs + row % outputs
            o[at] = factor * Self.float4[Int(byte & 15)]
            o[at + outputs] = factor * Self.float4[Int(byte >> 4)]
          }
        }
      }
    }
    return out.converted(to: .bfloat16)
  }

  private func decodedFloat8(_ bytes: UnsafeRawBufferPointer, _ scales: Tensor) -> Tensor {
    let (rows, columns) = (shape[0], shape[1])
    let out = Tensor(uninitialized: Shape(shape))
    let o = out.mutablePointer
    scales.withElements { factors in
      let base = (0..<factors.count).map { factors[$0] }
      parallel(rows) { row in
        let first = row / Self.square * ((columns + Self.square - 1) / Self.square)
        for column in 0..<columns {
          o[row * columns + column] = base[first + column / Self.square] * Self.float8[Int(bytes[row * columns + column])]
        }
      }
    }
    return out
  }

  /// E2M1: a sign, two bits of exponent and one of fraction.
  private static let float4: [Float] = [0, 0.5, 1, 1.5, 2, 3, 4, 6, -0.0, -0.5, -1, -1.5, -2, -3, -4, -6]

  /// E4M3 without infinities: a sign, four bits of exponent and three of fraction; the largest pattern is no number.
  private static let float8: [Float] = (0..<256).map { pattern in
    let exponent = pattern >> 3 & 15
    let fraction = Float(pattern & 7)
    if pattern & 127 == 127 { return .nan }
    let magnitude =
      exponent == 0 ? fraction / 512 : Float(sign: .plus, exponent: exponent - 7, significand: 1 + fraction / 8)
    return pattern < 128 ? magnitude : -magnitude
  }
}
