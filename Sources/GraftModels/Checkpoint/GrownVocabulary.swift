import GraftLayers
import GraftTensors

/// A checkpoint with more tokens than it was made for: the tables of its vocabulary have rows for them at their ends.
///
/// A new row is the mean of the old ones, which leaves what the model says of old tokens nearly as it was (Hewitt 2021,
/// "Initializing new word embeddings for pretrained language models"), and a little noise to tell new tokens apart.
public final class GrownVocabulary: WeightSource {
  private let base: any WeightSource
  private let oldSize: Int, newSize: Int
  private let tables: [String]
  private static let noise: Float = 0.01

  /// - Parameters:
  ///   - oldSize: rows of the vocabulary's tables in the base.
  ///   - newSize: rows to be, no fewer.
  ///   - tables: the ends of the names of tensors with a row or an entry for each token.
  public init(_ base: any WeightSource, from oldSize: Int, to newSize: Int, tables: [String]) {
    self.base = base
    self.oldSize = oldSize
    self.newSize = newSize
    self.tables = tables
  }

  public var name: String { base.name }
  public var tensorNames: [String] { base.tensorNames }
  public func contains(_ name: String) -> Bool { base.contains(name) }

  public func weight(_ name: String) throws -> Weight { grows(name) ? .dense(try tensor(name)) : try base.weight(name) }

  private func grows(_ name: String) -> Bool { newSize > oldSize && tables.contains { name == $0 || name.hasSuffix("." + $0) } }

  public func tensor(_ name: String) throws -> Tensor {
    let stored = try base.tensor(name)
    guard grows(name) else { return stored }
    switch stored.shape.dimensions {
    case [oldSize]: return grown(stored.reshaped(to: [oldSize, 1]), name).reshaped(to: [newSize])
    case [1, oldSize]: return grown(stored.reshaped(to: [oldSize, 1]), name).reshaped(to: [1, newSize])
    case let dimensions where dimensions.count == 2 && dimensions[0] == oldSize: return grown(stored, name)
    default: return stored
    }
  }

  /// The first of the tensors with the values of `name`'s: those that are tied must grow alike.
  private func twin(of name: String) -> String {
    let own = try? base.tensor(name)
    let names = tables.flatMap { end in base.tensorNames.filter { $0 == end || $0.hasSuffix("." + end) } }
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
