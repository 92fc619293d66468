import GraftLayers
import GraftTensors

/// LoRA with one of the factors block by block along the diagonal, so that layers which are cut over machines need no exchange.
///
/// Conzelmann et al. 2025, "Reducing the cost of multi-LoRA serving with block-diagonal factors", section 3.
struct BlockDiagonalLoRA: LoRAVariant, Codable, Sendable, Hashable {
  /// Parts of the paths of layers whose first factor has blocks, and of those whose second has.
  var targetModulesBdA: [String]?
  var targetModulesBdB: [String]?
  /// The number of blocks.
  var nblocks = 1
  /// True where every target must be one or the other.
  var matchStrict = true

  init() {}

  init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    targetModulesBdA = try container.decodeIfPresent([String].self, forKey: .targetModulesBdA)
    targetModulesBdB = try container.decodeIfPresent([String].self, forKey: .targetModulesBdB)
    nblocks = try container.decodeIfPresent(Int.self, forKey: .nblocks) ?? 1
    matchStrict = try container.decodeIfPresent(Bool.self, forKey: .matchStrict) ?? true
  }

  func adapter(for layer: Linear, rank: Int, scale: Float, of method: LoRA, in attachment: Attachment) throws -> any LinearAdapter {
    func matches(_ parts: [String]?) -> Bool { (parts ?? []).contains { layer.path.contains($0) } }
    let (first, second) = (matches(targetModulesBdA), matches(targetModulesBdB))
    guard !(first && second) else {
      throw TuningError("use_bdlora: \(layer.path) is named by target_modules_bd_a and by target_modules_bd_b; name it in one of them")
    }
    guard first || second || !matchStrict else {
      throw TuningError(
        "use_bdlora: \(layer.path) is named by neither target_modules_bd_a nor target_modules_bd_b; name it, or set match_strict: false")
    }
    let cut = first ? [layer.inputSize, rank] : second ? [rank, layer.outputSize] : []
    guard nblocks > 0, cut.allSatisfy({ $0 % nblocks == 0 }) else {
      throw TuningError("use_bdlora: nblocks is \(nblocks), which does not divide both of \(cut), the sides of the factor of \(layer.path)")
    }
    let (a, b) = try method.makeFactors(
      of: layer, a: [rank, first ? layer.inputSize / nblocks : layer.inputSize], b: [layer.outputSize, second ? rank / nblocks : rank], in: attachment
    )
    return BlockDiagonalAdapter(a: a, b: b, blocks: (first ? nblocks : 1, second ? nblocks : 1), scale: scale, dropout: Float(method.loraDropout))
  }
}

/// `s B A x`, with the blocks of a factor below each other as one matrix.
private final class BlockDiagonalAdapter: AdditiveAdapter {
  /// `[r, in / blocks]` and `[out, r / blocks]`.
  let a: Parameter, b: Parameter
  let blocks: (a: Int, b: Int)
  let scale: Float, dropout: Float

  init(a: Parameter, b: Parameter, blocks: (a: Int, b: Int), scale: Float, dropout: Float) {
    (self.a, self.b, self.blocks, self.scale, self.dropout) = (a, b, blocks, scale, dropout)
  }

  func change(_ x: Tensor, addingTo base: consuming Tensor, _ pass: Pass) -> Tensor {
    let narrow = Self.product(pass.dropout(x, dropout, at: a.path), a.operand, blocks: blocks.a)
    return blocks.b == 1 ? linear(narrow, b.operand, scale: scale, addingTo: base) : base + scale * Self.product(narrow, b.operand, blocks: blocks.b)
  }

  private static func product(_ x: Tensor, _ weight: Tensor, blocks: Int) -> Tensor {
    guard blocks > 1 else { return linear(x, weight) }
    let size = weight.shape[0] / blocks
    let turned = (0..<blocks).map { block in
      weight.rows(block * size..<(block + 1) * size).transposed.reshaped(to: [1, weight.shape[1] * size])
    }
    return multiplyBlocks(x, concatenateRows(turned), outputs: size)
  }
}
