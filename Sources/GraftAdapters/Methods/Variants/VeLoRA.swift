import GraftConfiguration
import GraftLayers
import GraftTensors

/// Memory-efficient training: of the input of the first factor only its product with one direction is kept for the gradient, group by
/// group of its columns. The adapter computes what LoRA does.
///
/// Miles et al. 2024, "VeLoRA", section 3.
struct VeLoRA: LoRAVariant, Codable, Sendable, Hashable {
  /// The ways to find the direction: the mean of each batch's groups, that of the first batch's, or a random one.
  enum Direction: String, ConfigChoice {
    case batchAverage = "batch_average"
    case batchAverageOnce = "batch_average_once"
    case random
  }

  /// The number of groups that the columns of an input are cut into.
  var numGroups = 64
  /// Multiplied into the input as it is made up again.
  var scale = 1.0
  var initType = Direction.batchAverage

  init() {}

  init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    numGroups = try container.decodeIfPresent(Int.self, forKey: .numGroups) ?? 64
    scale = try container.decodeIfPresent(Double.self, forKey: .scale) ?? 1
    initType = try container.decodeIfPresent(Direction.self, forKey: .initType) ?? .batchAverage
  }

  func adapter(for layer: Linear, rank: Int, scale factor: Float, of method: LoRA, in attachment: Attachment) throws -> any LinearAdapter {
    guard numGroups > 0 else { throw TuningError("velora_config: num_groups is \(numGroups); there is at least 1") }
    guard scale > 0 else { throw TuningError("velora_config: scale is \(scale); it must be above 0") }
    let (a, b) = try method.makeFactors(of: layer, a: [rank, layer.inputSize], b: [layer.outputSize, rank], in: attachment)
    let width = (layer.inputSize + numGroups - 1) / numGroups
    let initial = initType == .random ? Initializer.normal(standardDeviation: 1) : .zeros
    let direction = try (attachment.scope / layer.path).parameter("lora_velora_embed", [width], initial)
    direction.isTrainable = false
    if initType == .random, !attachment.isLoading { direction.assign(normalized(direction.value)) }
    return CompressingAdapter(
      a: a, b: b, direction: direction, settings: self, scale: factor, dropout: Float(method.loraDropout))
  }
}

/// A vector of length 1 in the same direction; that of equal elements for zero.
private func normalized(_ vector: Tensor) -> Tensor {
  let length = Float(vector.sumOfSquares.squareRoot())
  return length == 0
    ? Tensor([Float](repeating: 1 / Float(vector.elementCount).squareRoot(), count: vector.elementCount)) : 1 / length * vector
}

/// `s B A x`, with a gradient of `A` from what is left of `x`.
private final class CompressingAdapter: AdditiveAdapter {
  /// `[r, in]`, `[out, r]` and `[in / groups]`.
  let a: Parameter, b: Parameter, direction: Parameter
  let settings: VeLoRA
  let scale: Float, dropout: Float

  init(a: Parameter, b: Parameter, direction: Parameter, settings: VeLoRA, scale: Float, dropout: Float) {
    (self.a, self.b, self.direction, self.settings, self.scale, self.dropout) = (a, b, direction, settings, scale, dropout)
  }

  func change(_ x: Tensor, addingTo base: consuming Tensor, _ pass: Pass) -> Tensor {
    let input = pass.dropout(x, dropout, at: a.path)
    guard pass.isTraining, Tape.current != nil else { return linear(linear(input, a.operand), b.operand, scale: scale, addingTo: base) }
    let groups = grouped(input)
    let isKnown = settings.initType == .random || settings.initType == .batchAverageOnce && direction.value.sumOfSquares > 0
    if !isKnown { direction.assign(normalized(mean(of: groups))) }
    let along = direction.value
    // `[rows, groups]`, the only trace of the input that is kept.
    let kept = matrixProduct(groups, along.reshaped(to: [1, along.elementCount]), transposingSecond: true)
    // The value is that of the factor as it stands; its gradient comes from the made-up input, whose own product cancels out.
    return linear(linear(input, a.value) + madeUp(kept, along), b.operand, scale: scale, addingTo: base)
  }

  /// `[rows * groups, in / groups]`, with zeros behind the last column.
  private func grouped(_ x: Tensor) -> Tensor {
    let (rows, inputs, width) = (x.shape.rows, x.shape.columns, direction.shape[0])
    let padded = settings.numGroups * width
    guard padded != inputs else { return x.detached.reshaped(to: [rows * settings.numGroups, width]) }
    var values = [Float](repeating: 0, count: rows * padded)
    for (index, value) in x.values.enumerated() { values[index / inputs * padded + index % inputs] = value }
    return Tensor(values, [rows * settings.numGroups, width])
  }

  private func mean(of groups: Tensor) -> Tensor {
    let ones = Tensor([Float](repeating: 1 / Float(groups.shape[0]), count: groups.shape[0]), [1, groups.shape[0]])
    return matrixProduct(ones, groups).reshaped(to: [groups.shape[1]])
  }

  /// Zero, with the gradient that `A` gets from `scale * kept ⊗ direction` in place of the input.
  private func madeUp(_ kept: Tensor, _ direction: Tensor) -> Tensor {
    let (inputs, factor) = (a.shape[1], Float(settings.scale))
    let groups = settings.numGroups
    let rows = kept.elementCount / groups
    return customOperation("velora", of: [a.operand]) { inputs in
      .zeros([rows, inputs[0].shape[0]])
    } pullback: { gradient, _, _ in
      // `[r, groups]`, and each of its columns times the direction.
      let small = matrixProduct(gradient.transposed, kept.reshaped(to: [rows, groups]))
      let whole = matrixProduct(small.reshaped(to: [small.elementCount, 1]), (factor * direction).reshaped(to: [1, direction.elementCount]))
      return [whole.reshaped(to: [small.shape[0], groups * direction.elementCount]).columns(0..<inputs)]
    }
  }
}
