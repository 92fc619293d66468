import GraftCheckpoints
import GraftLayers
import GraftTensors

/// A matrix that trained values are spread over: element `places[k]` gets `weights[k]` times value `sources[k]`.
struct SparseSpread {
  /// Element numbers of the matrix, row by row.
  let places: [Int32]
  /// Numbers of values; nil where entry `k` is value `k`'s.
  var sources: [Int32]?
  /// Factors; nil where all are 1.
  var weights: [Float]?

  /// The matrix of the values.
  /// - Parameter values: `[count]`.
  func callAsFunction(_ values: Tensor, shape: Shape) -> Tensor {
    customOperation("spread", of: [values]) { inputs in
      inputs[0].withElements { values in
        Tensor(shape) { matrix in
          for entry in places.indices { matrix[Int(places[entry])] += weight(entry) * values[source(entry)] }
        }
      }
    } pullback: { gradient, inputs, _ in
      let result = gradient.withElements { slopes in
        Tensor(inputs[0].shape) { total in
          for entry in places.indices { total[source(entry)] += weight(entry) * slopes[Int(places[entry])] }
        }
      }
      return [result]
    }
  }

  private func source(_ entry: Int) -> Int { sources.map { Int($0[entry]) } ?? entry }
  private func weight(_ entry: Int) -> Float { weights?[entry] ?? 1 }
}

/// Values at some places of a matrix beside a linear layer: `y = W x + b + s S x`.
final class SparseAdapter: WeightChange {
  /// `[count]`.
  let values: Parameter
  let spread: SparseSpread
  let scale: Float
  private let shape: Shape

  init(_ values: Parameter, _ spread: SparseSpread, of layer: Linear, scale: Float = 1) {
    (self.values, self.spread, self.scale) = (values, spread, scale)
    shape = [layer.outputSize, layer.inputSize]
  }

  func callAsFunction(_ x: Tensor, through base: Linear, _ pass: Pass) -> Tensor {
    linear(x, spread(values.operand, shape: shape), scale: scale, addingTo: base.plain(x))
  }

  func change(of weight: @autoclosure () -> Tensor) -> Tensor { scale * spread(values.operand, shape: shape) }
}

extension Attachment {
  /// Whole numbers that a file keeps beside the delta: the file's, or those chosen now.
  ///
  /// - Parameters:
  ///   - bounds: above all numbers of a row.
  ///   - isStored: true where files keep them; otherwise they are chosen again each time.
  /// - Throws: `WeightError` where a file lacks them, or has others than there can be.
  func numbers(_ key: String, _ shape: Shape, below bounds: [Int], isStored: Bool = true, chosen: () throws -> [Int]) throws -> [Int32] {
    let taken = try taken(key, shape: shape)
    if taken == nil, isLoading, isStored { throw WeightError("\(key): is missing; the configuration asks for it") }
    let numbers = try taken ?? Tensor(try chosen().map { Int32($0) }).reshaped(to: shape)
    if isStored { store(key) { numbers } }
    let width = shape.elementCount / bounds.count
    guard let values = numbers.wholeNumbers, values.indices.allSatisfy({ (0..<bounds[$0 / width]).contains(values[$0]) }) else {
      throw WeightError("\(key): names other places than those below \(bounds.map(String.init).joined(separator: " and "))")
    }
    return values.map { Int32($0) }
  }
}
