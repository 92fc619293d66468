import GraftLayers
import GraftTensors

/// A checkpoint with more tokens than it was made for: the tables of its vocabulary have rows for them at their ends.
///
/// A new row is the mean of the old ones, which leaves what the model says of old tokens nearly as it was (Hewitt 2021,
/// "Initializing new word embeddings for pretrained language models"), and a little noise to tell new tokens apart.
public final class GrownVocabulary: WeightSource {
  private let base: any WeightSource
  private let oldSize: Int, newSize: Int
  private static let noise: Float = 0.01

  /// - Parameters:
  ///   - oldSize: rows of the vocabulary's tables in the base.
  ///   - newSize: rows to be, no fewer.
  public init(_ base: any WeightSource, from oldSize: Int, to newSize: Int) {
    (self.base, self.oldSize, self.newSize) = (base, oldSize, newSize)
  }

  public var name: String { base.name }
  public var tensorNames: [String] { base.tensorNames }
  public func contains(_ name: String) -> Bool { base.contains(name) }

  public func tensor(_ name: String) throws -> Tensor {
    let stored = try base.tensor(name)
    guard newSize > oldSize, Self.ends.contains(where: { name == $0 || name.hasSuffix("." + $0) }) else { return stored }
    switch stored.shape.dimensions {
    case [oldSize]: return grown(stored.reshaped(to: [oldSize, 1]), name).reshaped(to: [newSize])
    case [1, oldSize]: return grown(stored.reshaped(to: [oldSize, 1]), name).reshaped(to: [1, newSize])
    case let dimensions where dimensions.count == 2 && dimensions[0] == oldSize: return grown(stored, name)
    default: return stored
    }
  }

  /// What tables of tokens, heads and heads' biases are called in all families.
  private static let ends = [
    "embed_tokens.weight", "wte.weight", "shared.weight", "word_embeddings.weight", "lm_head.weight", "lm_head.bias", "lm_head.decoder.weight",
    "lm_head.decoder.bias", "predictions.bias", "predictions.decoder.weight", "predictions.decoder.bias", "final_logits_bias",
    "vocab_projector.weight", "vocab_projector.bias",
  ]

  /// The first of the tensors that hold what `name` does: those that are tied must grow alike.
  private func twin(of name: String) -> String {
    let candidates = ["shared.weight"] + Self.ends
    let own = try? base.tensor(name)
    let names = candidates.flatMap { end in base.tensorNames.filter { $0 == end || $0.hasSuffix("." + end) } }
    return names.first { other in other == name || own.map { own in (try? base.tensor(other))?.hasSameValues(as: own) ?? false } ?? false } ?? name
  }

  private func grown(_ table: Tensor, _ name: String) -> Tensor {
    let rows = table.converted(to: .float32)
    let count = newSize - oldSize
    let width = rows.shape[1]
    let sum = matrixProduct(Tensor(repeating: 1, shape: [1, oldSize]), rows)
    let mean = (1 / Float(oldSize)) * sum
    let deviation = Self.noise * Float((rows.sumOfSquares / Double(rows.elementCount)).squareRoot())
    let noise = RandomStream(seed: 0).split("new tokens").split(twin(of: name)).normal([count, width], standardDeviation: deviation)
    return concatenateRows([rows, addRow(noise, mean.reshaped(to: [width]))]).converted(to: table.dtype)
  }
}
