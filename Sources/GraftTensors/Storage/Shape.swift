/// The lengths of a tensor's axes, outermost first: at most eight, kept inline.
public struct Shape: Sendable, Hashable {
  private var lengths: SIMD8<Int>
  /// The number of axes.
  public let rank: Int

  /// The most axes that a shape may have.
  public static let maximumRank = 8

  /// - Precondition: at most eight axes, none negative.
  public init(_ dimensions: some Collection<Int>) {
    precondition(dimensions.count <= Self.maximumRank, "a shape has at most \(Self.maximumRank) axes")
    lengths = .zero
    rank = dimensions.count
    for (axis, length) in dimensions.enumerated() {
      precondition(length >= 0, "axis \(axis) has negative length \(length)")
      lengths[axis] = length
    }
  }

  /// The length of an axis; negative axes count from the last.
  public subscript(axis: Int) -> Int {
    let index = axis < 0 ? axis + rank : axis
    precondition(index >= 0 && index < rank, "no axis \(axis) in \(self)")
    return lengths[index]
  }

  /// The lengths of the axes, the outermost first.
  public var dimensions: [Int] { (0..<rank).map { lengths[$0] } }

  /// The number of elements.
  public var elementCount: Int {
    var product = 1
    for axis in 0..<rank { product *= lengths[axis] }
    return product
  }

  /// `elementCount` of lengths that a file or a person chose; nil where it overflows.
  public var checkedElementCount: Int? {
    var product = 1
    for axis in 0..<rank {
      let (next, overflow) = product.multipliedReportingOverflow(by: lengths[axis])
      guard !overflow else { return nil }
      product = next
    }
    return product
  }

  /// The bytes of so many elements; `Int.max`, which no memory has, where they cannot be counted.
  func byteCount(of dtype: ElementFormat) -> Int {
    let (count, overflow) = (checkedElementCount ?? .max).multipliedReportingOverflow(by: dtype.bytesPerBlock)
    return overflow ? .max : count
  }

  /// The length of the innermost axis, 1 for a scalar.
  public var columns: Int { rank == 0 ? 1 : lengths[rank - 1] }

  /// The product of all lengths but the innermost.
  public var rows: Int {
    var product = 1
    for axis in 0..<max(0, rank - 1) { product *= lengths[axis] }
    return product
  }

  /// The same axes with another innermost length.
  public func replacingColumns(with count: Int) -> Shape {
    precondition(rank > 0, "a scalar has no columns")
    var copy = self
    copy.lengths[rank - 1] = count
    return copy
  }
}

extension Shape: ExpressibleByArrayLiteral, CustomStringConvertible {
  public init(arrayLiteral elements: Int...) { self.init(elements) }
  public var description: String { "[" + dimensions.map(String.init).joined(separator: ", ") + "]" }
}
