import CKernels

/// Sixteen numbers between -1 and 1, of which codes of 4 bits name one.
public struct FourBitCode: Sendable, Hashable {
  /// The format of weights that are stored so.
  public let format: ElementFormat
  /// The numbers by their codes.
  package let numbers: [Float]
  /// The codes in the order of their numbers.
  private let order: [UInt8]
  /// The midpoints between neighbours: a number above so many of them is nearest to the one in that place of the order.
  private let bounds: [Float]

  private init(_ format: ElementFormat, _ numbers: [Float]) {
    (self.format, self.numbers) = (format, numbers)
    let order = numbers.indices.sorted { (numbers[$0], $0) < (numbers[$1], $1) }
    self.order = order.map { UInt8($0) }
    bounds = zip(order, order.dropFirst()).map { (numbers[$0] + numbers[$1]) / 2 }
  }

  /// NormalFloat: the quantiles of a normal distribution (Dettmers et al. 2023, "QLoRA", appendix E).
  public static let normalFloat = FourBitCode(
    .nf4,
    [
      -1, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635, -0.18477343022823334, -0.09105003625154495, 0,
      0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224, 0.44070982933044434, 0.5626170039176941,
      0.7229568362236023, 1,
    ])

  /// Floating-point numbers of a sign, two bits of exponent and one of fraction, as bitsandbytes orders and scales them.
  public static let float = FourBitCode(
    .fp4, [0, 0.0625, 8, 12, 4, 6, 2, 3, 0, -0.0625, -8, -12, -4, -6, -2, -3].map { $0 / 12 })

  /// Writes the codes of the numbers nearest to x, the smaller of two equally near ones; two codes a byte.
  func encode(_ x: UnsafePointer<Float>, count: Int, to bytes: UnsafeMutablePointer<UInt8>) {
    bounds.withUnsafeBufferPointer { bounds in
      order.withUnsafeBufferPointer { order in graft_encode_4bit(bytes, x, bounds.baseAddress, order.baseAddress, count) }
    }
  }
}
