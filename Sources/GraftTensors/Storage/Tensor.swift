import CKernels

/// A contiguous, row-major, immutable n-dimensional array: a value handle over shared bytes.
///
/// Not `Sendable`, on purpose: parallelism lives inside the operations.
public struct Tensor {
  package var storage: Storage
  /// The first element's distance from the storage's base, in elements.
  package let offset: Int
  /// The lengths of the axes; elements lie row by row.
  public let shape: Shape
  /// The format of the elements.
  public let dtype: ElementFormat
  /// The slot of the tape that produced it, -1 when untracked.
  package var node: Int32 = -1
  /// The serial of the tape that `node` belongs to.
  package var tapeSerial: UInt32 = 0

  package init(storage: Storage, offset: Int, shape: Shape, dtype: ElementFormat) {
    precondition(dtype.blockLength == 1, "a tensor's elements are stored singly; \(dtype) is a weight's")
    self.storage = storage
    self.offset = offset
    self.shape = shape
    self.dtype = dtype
  }

  /// Uninitialised memory, to be filled by the operation that makes it.
  package init(uninitialized shape: Shape, dtype: ElementFormat = .float32) {
    self.init(storage: Storage(byteCount: shape.byteCount(of: dtype), of: dtype), offset: 0, shape: shape, dtype: dtype)
  }

  /// A float32 tensor of the given values.
  /// - Precondition: as many values as the shape has elements.
  public init(_ values: [Float], _ shape: Shape) {
    precondition(values.count == shape.elementCount, "\(values.count) values for shape \(shape)")
    self.init(uninitialized: shape)
    values.withUnsafeBytes { source in
      if let base = source.baseAddress { storage.base.copyMemory(from: base, byteCount: source.count) }
    }
  }

  /// A float32 vector of the given values.
  public init(_ values: [Float]) { self.init(values, [values.count]) }

  /// An int32 vector, as of token ids.
  @_disfavoredOverload
  public init(_ values: [Int32]) {
    self.init(uninitialized: [values.count], dtype: .int32)
    values.withUnsafeBytes { source in
      if let base = source.baseAddress { storage.base.copyMemory(from: base, byteCount: source.count) }
    }
  }

  /// A float32 tensor with every element equal.
  public init(repeating value: Float, shape: Shape) {
    self.init(uninitialized: shape)
    let out = mutablePointer
    parallel(over: shape.elementCount, grain: elementwiseGrain) { graft_fill(out + $0.lowerBound, value, $0.count) }
  }

  /// Returns float32 zeros.
  public static func zeros(_ shape: Shape) -> Tensor { Tensor(repeating: 0, shape: shape) }

  /// Bytes that `owner` keeps alive for as long as the tensor lives, such as those of a mapped file.
  public init(borrowing bytes: UnsafeRawPointer, owner: AnyObject, shape: Shape, dtype: ElementFormat) {
    let storage = Storage(borrowing: bytes, byteCount: dtype.bytes(for: shape.elementCount), owner: owner)
    self.init(storage: storage, offset: 0, shape: shape, dtype: dtype)
  }

  /// The number of elements.
  public var elementCount: Int { shape.elementCount }

  /// The bytes of the elements.
  public var byteCount: Int { dtype.bytes(for: elementCount) }

  package var rawPointer: UnsafeMutableRawPointer { storage.base + dtype.bytes(for: offset) }

  /// The elements of a float32 tensor.
  package var pointer: UnsafePointer<Float> {
    precondition(dtype == .float32, "a \(dtype) tensor read as float32")
    return UnsafePointer(rawPointer.assumingMemoryBound(to: Float.self))
  }

  /// The elements of a float32 tensor that nobody else has seen yet.
  package var mutablePointer: UnsafeMutablePointer<Float> {
    precondition(dtype == .float32 && storage.isWritable, "a \(dtype) tensor written as float32")
    return rawPointer.assumingMemoryBound(to: Float.self)
  }

  package var indices: UnsafePointer<Int32> {
    precondition(dtype == .int32, "a \(dtype) tensor read as int32")
    return UnsafePointer(rawPointer.assumingMemoryBound(to: Int32.self))
  }

  /// The tensor's bytes, row-major.
  public func withUnsafeBytes<R>(_ body: (UnsafeRawBufferPointer) throws -> R) rethrows -> R {
    try withExtendedLifetime(storage) {
      try body(UnsafeRawBufferPointer(start: rawPointer, count: byteCount))
    }
  }

  /// The elements as floats, row-major, converted where they are stored otherwise.
  public var values: [Float] {
    let source = dtype == .float32 ? self : converted(to: .float32)
    return source.withUnsafeBytes { Array($0.bindMemory(to: Float.self)) }
  }

  /// The only element.
  public var scalar: Float {
    precondition(elementCount == 1, "a tensor of shape \(shape) is not a scalar")
    return values[0]
  }

  /// The row-major position of the first element that is not finite.
  public var firstNonFiniteIndex: Int? {
    let index = graft_first_nonfinite(pointer, elementCount)
    return index < 0 ? nil : index
  }

  /// Writes rows of a buffer that grows in place, as a cache of keys does, rounded to its format.
  package func overwriteRows(from row: Int, with rows: Tensor) {
    precondition(storage.isWritable && rows.shape.columns == shape.columns, "rows \(rows.shape) into \(shape)")
    precondition(row + rows.shape.rows <= shape.rows, "rows \(rows.shape) from \(row) into \(shape)")
    convert(rawPointer + dtype.bytes(for: row * shape.columns), dtype, rows.rawPointer, rows.dtype, rows.elementCount)
  }

  /// The same elements outside any tape.
  public var detached: Tensor {
    var copy = self
    copy.node = -1
    return copy
  }
}

extension Tensor: CustomStringConvertible {
  public var description: String {
    let shown = values.prefix(8).map { "\($0)" }.joined(separator: ", ")
    return "Tensor(\(shape), \(dtype): \(shown)\(elementCount > 8 ? ", ..." : ""))"
  }
}

extension Tensor {
  /// The sum of squares of a float32 tensor, in double precision and in an order that no thread count changes.
  public var sumOfSquares: Double { reduced(self, graft_sum_of_squares) }
}

/// Returns the largest of finite values; minus infinity where there are none.
package func largestValue(of values: UnsafeBufferPointer<Float>) -> Float {
  values.baseAddress.map { graft_largest($0, values.count) } ?? -.infinity
}

/// Returns the logarithms of the probabilities that logits stand for: each minus the log-sum-exp of all.
package func logSoftmax(of logits: UnsafeBufferPointer<Float>) -> [Float] {
  [Float](unsafeUninitializedCapacity: logits.count) { out, count in
    if let to = out.baseAddress, let from = logits.baseAddress { graft_log_softmax(to, from, logits.count) }
    count = logits.count
  }
}
