import GraftLayers
import GraftTensors

/// Activated LoRA: the adapter acts on the tokens from the last occurrence of an invocation on, and leaves those before it, and a
/// text without it, to the base, whose keys and values can therefore be kept for all adapters.
///
/// Greenewald et al. 2025, "Activated LoRA", section 3.
struct ActivatedLoRA: LoRAVariant {
  let invocation: [Int]

  func adapter(for layer: Linear, rank: Int, scale: Float, of method: LoRA, in attachment: Attachment) throws -> any LinearAdapter {
    guard !invocation.isEmpty else { throw TuningError("alora_invocation_tokens: is empty; give the ids of the tokens that switch the adapter on") }
    let tokens = invocation.compactMap { Int32(exactly: $0) }
    guard tokens.count == invocation.count, tokens.allSatisfy({ $0 >= 0 }) else {
      throw TuningError("alora_invocation_tokens: is \(invocation); give ids of tokens")
    }
    let isBeside = layer.role == .languageModelHead || layer.role == .classifier || layer.path.contains(".experts.")
    guard !isBeside else {
      throw TuningError("alora_invocation_tokens: \(layer.path) does not read every token of a text; name other layers in target_modules")
    }
    let (a, b) = try method.makeFactors(of: layer, a: [rank, layer.inputSize], b: [layer.outputSize, rank], in: attachment)
    return ActivatedAdapter(a: a, b: b, scale: scale, dropout: Float(method.loraDropout), invocation: tokens)
  }
}

/// `base + s B (m A x)`, with `m` one where the adapter is active and zero elsewhere.
private final class ActivatedAdapter: LinearAdapter {
  /// `[r, in]` and `[out, r]`.
  let a: Parameter, b: Parameter
  let scale: Float, dropout: Float
  let invocation: [Int32]

  init(a: Parameter, b: Parameter, scale: Float, dropout: Float, invocation: [Int32]) {
    (self.a, self.b, self.scale, self.dropout, self.invocation) = (a, b, scale, dropout, invocation)
  }

  func callAsFunction(_ x: Tensor, through base: Linear, _ pass: Pass) -> Tensor {
    let y = base.plain(x)
    guard let rows = pass.rows(from: invocation) else { return y }
    let narrow = scaleRows(linear(pass.dropout(x, dropout, at: a.path), a.operand), by: rows)
    return linear(narrow, b.operand, scale: scale, addingTo: y)
  }

  func merge(into base: Linear) throws(TuningError) {
    throw TuningError("\(base.path): its adapter acts on some tokens only, which no weights can express")
  }
}
