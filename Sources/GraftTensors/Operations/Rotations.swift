import CKernels

/// The way from a skew-symmetric matrix `Q` to a rotation.
public enum CayleySeries: Sendable, Hashable {
  /// `(I - Q) (I + Q)⁻¹`.
  case exact
  /// `I + 2 Q + 2 Q² + ... + Qⁿ`, nearly a rotation for small angles; PEFT counts terms so that fewer than four make `n` 3, 1 or 0.
  case neumann(terms: Int)

  /// The factors of the powers of `Q`.
  var coefficients: [Float] {
    guard case .neumann(let terms) = self else { return [] }
    switch terms {
    case ...1: return [1]
    case 2: return [1, 2]
    default: return [1] + Array(repeating: 2, count: max(3, terms - 1) - 1) + [1]
    }
  }
}

/// Square blocks that are (nearly) rotations, from the upper triangles of skew-symmetric matrices.
///
/// - Parameter angles: `[blocks, size * (size - 1) / 2]`, row by row of the triangle.
/// - Returns: `[blocks, size * size]`.
public func cayleyTransform(_ angles: Tensor, size: Int, _ series: CayleySeries) -> Tensor {
  let blocks = angles.shape.rows
  let count = size * size
  precondition(angles.shape.columns == size * (size - 1) / 2, "\(angles.shape) for blocks of \(size)")
  let out = Tensor(uninitialized: [blocks, count])
  let o = out.mutablePointer
  let from = angles.pointer
  parallel(blocks) { block in
    let transform = BlockTransform(angles: from + block * angles.shape.columns, size: size, series)
    (o + block * count).update(from: transform.result.pointer, count: count)
  }
  let saved = Saved(angles)
  return recorded("cayleyTransform", out, from: angles.slot) { gradient, tape in
    let angles = saved.tensor
    let result = Tensor(uninitialized: angles.shape)
    let d = result.mutablePointer
    parallel(blocks) { block in
      let transform = BlockTransform(angles: angles.pointer + block * angles.shape.columns, size: size, series)
      transform.writeGradient(of: gradient.pointer + block * count, to: d + block * angles.shape.columns)
    }
    tape.accumulate(result, into: angles)
  }
}

/// One block's transform with what its gradient needs.
private struct BlockTransform {
  let size: Int
  let skew: Tensor
  let series: CayleySeries
  /// Horner's partial sums `H_n, ..., H_0`, or the inverse of `I + Q` and the result.
  let steps: [Tensor]

  var result: Tensor { steps[steps.count - 1] }

  init(angles: UnsafePointer<Float>, size: Int, _ series: CayleySeries) {
    (self.size, self.series) = (size, series)
    skew = .zeros([size, size])
    let q = skew.mutablePointer
    var index = 0
    for row in 0..<size {
      for column in row + 1..<max(size, row + 1) {
        q[row * size + column] = angles[index]
        q[column * size + row] = -angles[index]
        index += 1
      }
    }
    let coefficients = series.coefficients
    guard let last = coefficients.last else {
      let inverse = Self.inverse(of: skew, size: size)
      let difference = Self.product(skew, inverse, beta: 1, onto: Self.diagonal(0, size), alpha: -1)
      let result = Tensor(uninitialized: [size, size])
      graft_add(result.mutablePointer, inverse.pointer, difference.pointer, size * size)
      steps = [inverse, result]
      return
    }
    var partial = [Self.diagonal(last, size)]
    for factor in coefficients.dropLast().reversed() {
      partial.append(Self.product(skew, partial[partial.count - 1], beta: 1, onto: Self.diagonal(factor, size)))
    }
    steps = partial
  }

  func writeGradient(of gradient: UnsafePointer<Float>, to angles: UnsafeMutablePointer<Float>) {
    let received = Tensor(uninitialized: [size, size])
    let total: Tensor
    received.mutablePointer.update(from: gradient, count: size * size)
    if case .exact = series {
      // R = (I - Q) (I + Q)⁻¹, so dR = -(I + R) dQ (I + Q)⁻¹.
      let through = Self.product(result, transposingFirst: true, received, beta: 1, onto: received.copied)
      total = Self.product(through, steps[0], transposingSecond: true, beta: 0, onto: .zeros([size, size]), alpha: -1)
    } else {
      var sum = Tensor.zeros([size, size])
      var flowing = received
      for step in steps.indices.dropFirst().reversed() {
        sum = Self.product(flowing, steps[step - 1], transposingSecond: true, beta: 1, onto: sum)
        flowing = Self.product(skew, transposingFirst: true, flowing, beta: 0, onto: .zeros([size, size]))
      }
      total = sum
    }
    let d = total.pointer
    var index = 0
    for row in 0..<size {
      for column in row + 1..<max(size, row + 1) {
        angles[index] = d[row * size + column] - d[column * size + row]
        index += 1
      }
    }
  }

  private static func diagonal(_ value: Float, _ size: Int) -> Tensor {
    let matrix = Tensor.zeros([size, size])
    let m = matrix.mutablePointer
    for index in 0..<size { m[index * size + index] = value }
    return matrix
  }

  /// `beta * out + alpha * a b`, in the memory of `out`.
  private static func product(
    _ a: Tensor, transposingFirst: Bool = false, _ b: Tensor, transposingSecond: Bool = false, beta: Float, onto out: Tensor, alpha: Float = 1
  ) -> Tensor {
    let size = a.shape[0]
    multiplySerially(
      size, size, size, alpha, MatrixOperand(a.pointer, stride: size, transposed: transposingFirst),
      MatrixOperand(b.pointer, stride: size, transposed: transposingSecond), beta, out.mutablePointer, size)
    return out
  }

  /// `(I + Q)⁻¹` by Gauss and Jordan's elimination in double precision; `I + Q` is never singular.
  private static func inverse(of skew: Tensor, size: Int) -> Tensor {
    var left = skew.values.map(Double.init)
    var right = [Double](repeating: 0, count: size * size)
    for index in 0..<size {
      left[index * size + index] += 1
      right[index * size + index] = 1
    }
    for pivot in 0..<size {
      let best = (pivot..<size).max { abs(left[$0 * size + pivot]) < abs(left[$1 * size + pivot]) } ?? pivot
      if best != pivot {
        for column in 0..<size {
          left.swapAt(pivot * size + column, best * size + column)
          right.swapAt(pivot * size + column, best * size + column)
        }
      }
      let scale = 1 / left[pivot * size + pivot]
      for column in 0..<size {
        left[pivot * size + column] *= scale
        right[pivot * size + column] *= scale
      }
      for row in 0..<size where row != pivot {
        let factor = left[row * size + pivot]
        for column in 0..<size {
          left[row * size + column] -= factor * left[pivot * size + column]
          right[row * size + column] -= factor * right[pivot * size + column]
        }
      }
    }
    return Tensor(right.map(Float.init), [size, size])
  }
}

extension Tensor {
  fileprivate var copied: Tensor {
    var copy = self
    copy.makeUnique()
    return copy
  }
}

/// `x` with its columns in blocks, each multiplied by a matrix: `out_i = x_i B_i`.
///
/// - Parameters:
///   - x: `[rows, n * inputs]`.
///   - blocks: `[n, inputs * outputs]`, or `[1, inputs * outputs]` for the same matrix everywhere.
///   - outputs: the columns of a matrix; nil for square ones.
/// - Returns: `[rows, n * outputs]`.
public func multiplyBlocks(_ x: Tensor, _ blocks: Tensor, outputs: Int? = nil) -> Tensor {
  let outputs = outputs ?? Int(Double(blocks.shape.columns).squareRoot().rounded())
  let inputs = blocks.shape.columns / outputs
  let (rows, width) = (x.shape.rows, x.shape.columns)
  let count = width / inputs
  let isShared = blocks.shape.rows == 1
  let fits = inputs * outputs == blocks.shape.columns && count * inputs == width && (isShared || blocks.shape.rows == count)
  precondition(fits, "\(x.shape) by \(blocks.shape)")
  func product(_ input: Tensor, _ blocks: Tensor, transposed: Bool) -> Tensor {
    let (depth, size) = transposed ? (outputs, inputs) : (inputs, outputs)
    let out = Tensor(uninitialized: input.shape.replacingColumns(with: count * size))
    let o = out.mutablePointer
    let from = input.pointer
    let b = blocks.pointer
    let rounding = Execution.current.arithmetic.operandFormat
    parallel(count) { block in
      multiplySerially(
        rows, size, depth, 1, MatrixOperand(from + block * depth, stride: count * depth),
        MatrixOperand(b + (isShared ? 0 : block * inputs * outputs), stride: outputs, transposed: transposed, rounding: rounding), 0,
        o + block * size, count * size)
    }
    return out
  }
  let (input, matrices) = (Saved(x), Saved(blocks))
  return recorded("multiplyBlocks", product(x, blocks, transposed: false), from: x.slot, blocks.slot) { gradient, tape in
    if tape.tracks(input.slot) { tape.accumulate(product(gradient, matrices.tensor, transposed: true), into: input.slot) }
    tape.accumulateZeroed(into: matrices.slot) { total in
      let saved = input.tensor
      let from = saved.pointer
      let dy = gradient.pointer
      let rounding = Execution.current.arithmetic.operandFormat
      func add(_ block: Int, _ target: UnsafeMutablePointer<Float>) {
        multiplySerially(
          inputs, outputs, rows, 1, MatrixOperand(from + block * inputs, stride: width, transposed: true),
          MatrixOperand(dy + block * outputs, stride: count * outputs, rounding: rounding),
          1, target, outputs)
      }
      if isShared {
        for block in 0..<count { add(block, total) }
      } else {
        parallel(count) { add($0, total + $0 * inputs * outputs) }
      }
    }
  }
}

let rotationSpecimens: [OperationSpecimen] = [
  OperationSpecimen("cayleyTransform, exact", .init("angles", [2, 6])) { cayleyTransform($0[0], size: 4, .exact) },
  OperationSpecimen("cayleyTransform, five terms", .init("angles", [2, 6])) { cayleyTransform($0[0], size: 4, .neumann(terms: 5)) },
  OperationSpecimen("cayleyTransform, two terms", .init("angles", [1, 3])) { cayleyTransform($0[0], size: 3, .neumann(terms: 2)) },
  OperationSpecimen("multiplyBlocks", .init("x", [5, 6]), .init("blocks", [2, 9])) { multiplyBlocks($0[0], $0[1]) },
  OperationSpecimen("multiplyBlocks, oblong", .init("x", [5, 6]), .init("blocks", [2, 12])) { multiplyBlocks($0[0], $0[1], outputs: 4) },
  OperationSpecimen("multiplyBlocks, shared", .init("x", [5, 6]), .init("blocks", [1, 9])) { multiplyBlocks($0[0], $0[1]) },
]
