import Foundation
import GraftTensors

/// Adam's second moment as the outer product of its rows' and columns' means (Shazeer and Stern 2018, algorithms 4 and 5).
///
/// The learning rate is the schedule's, and there is no first moment: Transformers' `Adafactor` with `scale_parameter=False,
/// relative_step=False`, which its Trainer uses. A tensor of several axes is one of matrices, over its last two.
public struct Adafactor: UpdateRule {
  /// Added to the squares of gradients.
  public var epsilon: Double
  /// The root mean square that an update is scaled down to (section 6).
  public var clipThreshold: Double
  /// The exponent of the decay of old squares, `1 - t^decayRate` (section 7.2).
  public var decayRate: Double

  /// The rule with Transformers' names and defaults.
  public init(epsilon: Double = 1e-30, clipThreshold: Double = 1, decayRate: Double = -0.8) {
    self.epsilon = epsilon
    self.clipThreshold = clipThreshold
    self.decayRate = decayRate
  }

  public var isElementwise: Bool { false }

  public func state(of shape: Shape) -> [StateDescription] {
    guard shape.rank >= 2 else { return [StateDescription("exp_avg_sq", shape)] }
    let leading = shape.dimensions.dropLast(2)
    return [
      StateDescription("exp_avg_sq_row", Shape(leading + [shape[-2]])), StateDescription("exp_avg_sq_col", Shape(leading + [shape[-1]])),
    ]
  }

  public func update(
    _ weights: inout MutableSpan<Float>, _ state: inout UpdateState, gradient: Span<Float>, shape: Shape, _ context: UpdateContext
  ) {
    guard weights.count > 0 else { return }
    let decay = 1 - pow(Double(context.step), decayRate)
    var update = [Float](repeating: 0, count: weights.count)
    if shape.rank < 2 {
      state.with(0) { squares in
        for i in update.indices {
          let g = gradient[i] * context.gradientScale
          squares[i] = Float(decay * Double(squares[i]) + (1 - decay) * (Double(g) * Double(g) + epsilon))
          update[i] = g / squares[i].squareRoot()
        }
      }
    } else {
      let size = shape[-2] * shape[-1]
      state.with(0, 1) { rows, columns in
        for matrix in 0..<weights.count / size {
          direct(&update, gradient, &rows, &columns, matrix: matrix, shape, decay: decay, context.gradientScale)
        }
      }
    }
    apply(update, to: &weights, context)
  }

  /// Brings the means of one matrix's squares up to date, and writes `g / sqrt(rows columns / mean(rows))`.
  private func direct(
    _ update: inout [Float], _ gradient: Span<Float>, _ rows: inout MutableSpan<Float>, _ columns: inout MutableSpan<Float>, matrix: Int,
    _ shape: Shape, decay: Double, _ scale: Float
  ) {
    let (height, width) = (shape[-2], shape[-1])
    let (firstRow, firstColumn, start) = (matrix * height, matrix * width, matrix * height * width)
    var columnSums = [Double](repeating: 0, count: width)
    var total = 0.0
    for row in 0..<height {
      var sum = 0.0
      for column in 0..<width {
        let g = Double(gradient[start + row * width + column] * scale)
        sum += g * g + epsilon
        columnSums[column] += g * g + epsilon
      }
      rows[firstRow + row] = Float(decay * Double(rows[firstRow + row]) + (1 - decay) * sum / Double(width))
      total += Double(rows[firstRow + row])
    }
    for column in 0..<width {
      columns[firstColumn + column] = Float(decay * Double(columns[firstColumn + column]) + (1 - decay) * columnSums[column] / Double(height))
    }
    let mean = total / Double(height)
    let columnFactors = (0..<width).map { 1 / Double(columns[firstColumn + $0]).squareRoot() }
    for row in 0..<height {
      let rowFactor = (mean / Double(rows[firstRow + row])).squareRoot()
      for column in 0..<width {
        let index = start + row * width + column
        update[index] = Float(Double(gradient[index] * scale) * rowFactor * columnFactors[column])
      }
    }
  }

  /// Takes the step, scaled down where its root mean square is beyond the threshold.
  private func apply(_ update: [Float], to weights: inout MutableSpan<Float>, _ context: UpdateContext) {
    let squares = update.reduce(0.0) { $0 + Double($1) * Double($1) }
    let meanRoot = (squares / Double(update.count)).squareRoot()
    let step = Float(context.learningRate / max(1, meanRoot / clipThreshold))
    let kept = Float(1 - context.weightDecay * context.learningRate)
    for i in update.indices { weights[i] = kept * weights[i] - step * update[i] }
  }
}
