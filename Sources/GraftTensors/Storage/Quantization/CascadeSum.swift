/// The sum of floats in the order in which PyTorch adds on one thread, so that a mean of factors has bitsandbytes' bits.
///
/// Thirty-two sums side by side add up their share in a cascade of four levels: after so many terms of one level their sum goes to the
/// next, and rounding errors stay those of short sums.
enum CascadeSum {
  private static let lanes = 8, unrolled = 4, levels = 4

  static func sum(_ values: [Float]) -> Float {
    let rows = values.count / lanes
    let groups = rows / unrolled
    var partial = cascade(values, rows: groups, width: lanes * unrolled)
    for row in groups * unrolled..<rows {
      for lane in 0..<lanes { partial[lane] += values[row * lanes + lane] }
    }
    for copy in 1..<unrolled {
      for lane in 0..<lanes { partial[lane] += partial[copy * lanes + lane] }
    }
    let rest = values[(rows * lanes)...].reduce(0, +)
    return partial[..<lanes].reduce(rest, +)
  }

  /// The sums of the columns of `rows` rows of `width`.
  private static func cascade(_ values: [Float], rows: Int, width: Int) -> [Float] {
    var sums = Array(repeating: Array(repeating: Float(0), count: width), count: levels)
    let power = max(4, ceilingOfLogarithm(rows) / levels)
    for row in 0..<rows {
      for column in 0..<width { sums[0][column] += values[row * width + column] }
      var level = 1
      // A level passes its sum on when its count is full.
      while level < levels, (row + 1) % (1 << (level * power)) == 0 {
        for column in 0..<width {
          sums[level][column] += sums[level - 1][column]
          sums[level - 1][column] = 0
        }
        level += 1
      }
    }
    for level in 1..<levels {
      for column in 0..<width { sums[0][column] += sums[level][column] }
    }
    return sums[0]
  }

  private static func ceilingOfLogarithm(_ count: Int) -> Int { count < 2 ? 0 : Int.bitWidth - (count - 1).leadingZeroBitCount }
}
