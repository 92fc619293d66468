import GraftJSON
import GraftTensors

/// A matrix in whole numbers of few bits with scales and zero points for groups of inputs, as GPTQ's and AWQ's programs publish it
/// (`auto_gptq.nn_modules.qlinear`, `awq.modules.linear.gemm`).
struct GroupedQuantization: QuantizedTensor {
  private static let wordsEnd = ".qweight", zerosEnd = ".qzeros", scalesEnd = ".scales", groupsEnd = ".g_idx"

  let parts: [String]
  /// `[out, in]`.
  let shape: [Int]
  private let packing: GroupedMatrix.Packing
  private let layer: String
  /// The number that is missing from stored zero points: 1 in the first form of GPTQ's files.
  private let zeroOffset: Int
  var elementType: ElementType { .float16 }

  /// The quantized matrices among the tensors of a checkpoint, by their names.
  ///
  /// - Parameters:
  ///   - directory: the checkpoint, for errors.
  ///   - settings: the `quantization_config` of its `config.json`.
  /// - Throws: `CheckpointError` of kind `malformed` for parts that do not fit, `unsupported` for another packing than those that are read.
  static func find(
    in descriptions: [TensorDescription], of directory: String, settings: JSON?
  ) throws(CheckpointError) -> [String: any QuantizedTensor] {
    let packed = descriptions.filter { $0.name.hasSuffix(wordsEnd) }
    guard !packed.isEmpty else { return [:] }
    let known = Dictionary(descriptions.map { ($0.name, $0) }) { first, _ in first }
    var found: [String: any QuantizedTensor] = [:]
    for description in packed {
      let layer = String(description.name.dropLast(wordsEnd.count))
      found[layer + ".weight"] = try GroupedQuantization(layer, known, settings, in: directory)
    }
    // AWQ scales some activations by what it takes from the matrix behind them.
    if let scaled = descriptions.first(where: { $0.name.hasSuffix(scalesEnd) && known[String($0.name.dropLast(scalesEnd.count)) + wordsEnd] == nil })
    {
      throw CheckpointError(
        .unsupported, directory, "'\(scaled.name)' scales an activation, which no layer here does", remedy: "take the model before it was quantized")
    }
    return found
  }

  private init(_ layer: String, _ known: [String: TensorDescription], _ settings: JSON?, in directory: String) throws(CheckpointError) {
    func part(_ suffix: String) throws(CheckpointError) -> TensorDescription {
      guard let part = known[layer + suffix], part.shape.count == 2, part.shape.allSatisfy({ $0 > 0 }) else {
        throw .malformed(directory, "'\(layer)\(Self.wordsEnd)' lacks its matrix '\(layer)\(suffix)'")
      }
      return part
    }
    let (words, zeros, scales) = (try part(Self.wordsEnd), try part(Self.zerosEnd), try part(Self.scalesEnd))
    let form = settings?["checkpoint_format"]?.string ?? settings?["version"]?.string?.lowercased() ?? ""
    guard words.elementType == .int32, zeros.elementType == .int32, scales.elementType.dtype?.isFloatingPoint == true,
      !["marlin", "gemv", "gemv_fast", "exllama", "ipex", "bitblas", "qqq"].contains(form)
    else {
      throw CheckpointError(
        .unsupported, directory,
        "'\(words.name)' \(words.elementType.rawValue) is in the form '\(form)'; GPTQ's own (gptq, gptq_v2) and AWQ's gemm are read",
        remedy: "take it in one of these")
    }
    let outputs = scales.shape[1]
    let bits = 32 * zeros.shape[1] / outputs
    let inputs: Int
    if words.shape[1] == outputs {
      (packing, inputs) = (.inputs(bits: bits), words.shape[0] * 32 / max(1, bits))
      zeroOffset = form == "gptq_v2" ? 0 : 1
    } else {
      (packing, inputs, zeroOffset) = (.interleavedOutputs, words.shape[0], 0)
    }
    let groups = known[layer + Self.groupsEnd]
    guard zeros.shape == [scales.shape[0], outputs * bits / 32], words.elementCount * 32 == inputs * outputs * bits,
      packing == .interleavedOutputs ? bits == 4 && outputs % 8 == 0 : true, groups.map({ $0.shape == [inputs] && $0.elementType == .int32 }) ?? true,
      scales.shape[0] <= inputs, outputs * bits % 32 == 0
    else {
      throw .malformed(
        directory, "'\(words.name)' \(words.shape), '\(zeros.name)' \(zeros.shape) and '\(scales.name)' \(scales.shape) do not fit each other")
    }
    guard [2, 4, 8].contains(bits) else {
      throw CheckpointError(
        .unsupported, directory, "'\(words.name)' has codes of \(bits) bits; those of 2, 4 and 8 are read", remedy: "take the model in 4 bits")
    }
    shape = [outputs, inputs]
    self.layer = layer
    parts = [words.name, zeros.name, scales.name] + (groups.map { [$0.name] } ?? [])
  }

  func weight(from checkpoint: Checkpoint) throws(CheckpointError) -> Weight {
    let scales = try checkpoint.storedTensor(layer + Self.scalesEnd).converted(to: .float32)
    guard scales.firstNonFiniteIndex == nil else {
      throw .malformed(checkpoint.directory, "the scales of '\(layer)' are not finite", remedy: "fetch the checkpoint again")
    }
    let inputs = shape[1]
    let count = scales.shape[0]
    let length = (inputs + count - 1) / count
    var groups = (0..<inputs).map { Int32($0 / length) }
    if parts.count > 3 { groups = try checkpoint.storedTensor(parts[3]).elements() }
    guard groups.allSatisfy({ (0..<count).contains(Int($0)) }) else {
      throw .malformed(checkpoint.directory, "'\(layer)\(Self.groupsEnd)' names another group than the \(count) that have scales")
    }
    let words = try checkpoint.storedTensor(layer + Self.wordsEnd)
    return .blocks(
      TransposedBlocks(GroupedMatrix(words, packing: packing, scales: scales, zeros: try zeroPoints(checkpoint, scales.shape), groups: groups)))
  }

  /// The zero points, `[groups, out]`.
  private func zeroPoints(_ checkpoint: Checkpoint, _ shape: Shape) throws(CheckpointError) -> Tensor {
    let packed: [Int32] = try checkpoint.storedTensor(layer + Self.zerosEnd).elements()
    let bits = packing.bits
    let perWord = 32 / bits
    // The place of a column's code in its word.
    let places = packing == .interleavedOutputs ? [0, 4, 1, 5, 2, 6, 3, 7] : Array(0..<perWord)
    let values = (0..<shape.elementCount).map { index -> Float in
      let word = UInt32(bitPattern: packed[index / perWord])
      return Float(Int(word >> UInt32(places[index % perWord] * bits) & (1 << UInt32(bits) - 1)) + zeroOffset)
    }
    return Tensor(values, shape)
  }
}
