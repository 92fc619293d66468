import GraftConfiguration
import GraftLayers
import GraftTensors

/// LoftQ's start: the factors begin as the best approximation of what a quantization loses, and the base is quantized so that little is lost
/// (Li et al. 2023, "LoftQ", algorithm 1), as PEFT computes it: the factors are not divided by their scale.
package struct LoftQ {
  /// The bits of an element of the base: 4 or 8.
  let bits: Int
  /// The rounds of quantizing and decomposing.
  let iterations: Int

  /// - Parameter settings: `loftq_config`, of which what is missing is as in PEFT.
  /// - Throws: `TuningError` for a key or a value that PEFT does not have.
  init(_ settings: ConfigTree?) throws(TuningError) {
    let numbers = settings?.numbers ?? []
    for entry in settings?.mapping?.entries ?? [] where !["loftq_bits", "loftq_iter"].contains(entry.key) {
      throw TuningError("loftq_config: unknown key \"\(entry.key)\"; known are loftq_bits and loftq_iter")
    }
    func number(_ key: String, _ fallback: Int) throws(TuningError) -> Int {
      guard let given = numbers.first(where: { $0.pattern == key })?.value else { return fallback }
      guard let whole = Int(exactly: given) else { throw TuningError("loftq_config.\(key): is \(given); it must be a whole number") }
      return whole
    }
    bits = try number("loftq_bits", 4)
    iterations = try number("loftq_iter", 1)
    guard bits == 4 || bits == 8 else { throw TuningError("loftq_config.loftq_bits: is \(bits); it must be 4 or 8") }
    guard (1...1000).contains(iterations) else { throw TuningError("loftq_config.loftq_iter: is \(iterations); it must be from 1 to 1000") }
  }

  /// A quantized matrix and the factors of what it lacks.
  package struct Start {
    /// `[out, in]`.
    package let quantized: any BlockMatrix
    /// `[r, in]` and `[out, r]`.
    package let a: Tensor, b: Tensor
  }

  /// The start of a layer's factors.
  ///
  /// - Parameters:
  ///   - weight: `[out, in]`, unquantized.
  ///   - stream: draws where the decomposition begins.
  /// - Throws: `NonFiniteWeightError` where the weight cannot be quantized.
  package static func start(
    of weight: Tensor, as quantization: WeightQuantization, rank: Int, iterations: Int, _ stream: RandomStream
  ) throws(NonFiniteWeightError) -> Start {
    let weight = weight.converted(to: .float32)
    func round(of rest: Tensor) throws(NonFiniteWeightError) -> Start {
      let quantized = try quantization.encode(rest)
      let part = LowRankPart.principal(of: weight - Weight.blocks(quantized).dense(), rank: rank, iterations: 60, stream)
      return Start(quantized: quantized, a: part.a, b: part.b)
    }
    var start = try round(of: weight)
    for _ in 1..<max(1, iterations) { start = try round(of: weight - matrixProduct(start.b, start.a)) }
    return start
  }

  /// Gives a layer its quantized matrix, and the factors their start where they are not loaded.
  ///
  /// - Throws: `TuningError` where the layer is quantized in other bits, or nobody has its weight unquantized.
  func prepare(_ layer: Linear, _ factors: LowRankFactors, in attachment: Attachment) throws {
    let isOutputFirst = layer.layout == .outputByInput
    let known = layer.weight.stored.quantization
    if let known, let own = known.bits, own != bits {
      throw TuningError("loftq_config.loftq_bits: is \(bits), and the model is quantized as \(known); set \(own)")
    }
    // One round quantizes the weight itself, as the model did.
    if attachment.isLoading, known != nil, iterations == 1 { return }
    guard let weight = known == nil ? layer.weight.dense() : try attachment.services.unquantized?(layer.weight.path) else {
      throw TuningError(
        "init_lora_weights: loftq needs the weight of \(layer.path) unquantized; train on the unquantized checkpoint with model.quantization")
    }
    let rank = factors.a.shape[0]
    let start = try Self.start(
      of: isOutputFirst ? weight : weight.converted(to: .float32).transposed, as: known ?? (bits == 8 ? .int8 : .nf4), rank: rank,
      iterations: iterations, RandomStream(seed: 0).split(layer.path))
    if !attachment.isLoading {
      factors.a.assign(start.a)
      factors.b.assign(start.b)
    }
    let blocks = Weight.blocks(isOutputFirst ? start.quantized : TransposedBlocks(start.quantized))
    if known == nil {
      attachment.replace(layer.weight, by: .dense(blocks.dense().converted(to: layer.weight.format)))
    } else if iterations > 1 {
      attachment.replace(layer.weight, by: blocks)
    }
  }
}

extension Weight {
  /// The quantization that the blocks are of; nil for a tensor, and for blocks that have no encoder here.
  fileprivate var quantization: WeightQuantization? {
    guard case .blocks(let blocks) = self else { return nil }
    return WeightQuantization(of: blocks.format)
  }
}

extension WeightQuantization {
  /// The bits of an element where PEFT has a LoftQ of as many; nil for others.
  fileprivate var bits: Int? { rawValue.first(where: \.isNumber).flatMap { $0.wholeNumberValue }.flatMap { [4, 8].contains($0) ? $0 : nil } }
}
