import CKernels

extension Tensor {
  /// The elements as another type, rounded to nearest even where precision is lost; `self` where it is that type already.
  ///
  /// Between floating-point types, from integers to float32, and from int32 to narrower integers.
  /// - Precondition: narrower integers hold every element.
  public func converted(to target: ElementFormat) -> Tensor {
    guard target != dtype else { return self }
    let out = Tensor(uninitialized: shape, dtype: target)
    let grain = 1 << 16
    let from = rawPointer
    let to = out.rawPointer
    let source = dtype
    withExtendedLifetime(storage) {
      parallel(over: elementCount, grain: grain) { range in
        convert(to + target.bytes(for: range.lowerBound), target, from + source.bytes(for: range.lowerBound), source, range.count)
      }
    }
    return out
  }
}

extension Tensor {
  /// The elements as whole numbers, exactly, of whatever type; nil where one is not finite or has a fraction.
  public var wholeNumbers: [Int]? {
    withUnsafeBytes { bytes in
      switch dtype {
      case .int64: bytes.bindMemory(to: Int64.self).map { Int($0) }
      case .int32: bytes.bindMemory(to: Int32.self).map { Int($0) }
      default:
        values.reduce(into: [Int]?([])) { numbers, value in
          if let number = Int(exactly: value) { numbers?.append(number) } else { numbers = nil }
        }
      }
    }
  }
}

/// Converts `count` elements; unlisted pairs go through float32.
package func convert(_ out: UnsafeMutableRawPointer, _ target: ElementFormat, _ input: UnsafeRawPointer, _ source: ElementFormat, _ count: Int) {
  switch (source, target) {
  case _ where source == target: out.copyMemory(from: input, byteCount: source.bytes(for: count))
  case (.bfloat16, .float32):
    graft_bfloat16_to_float(out.assumingMemoryBound(to: Float.self), input.assumingMemoryBound(to: UInt16.self), count)
  case (.float16, .float32):
    graft_float16_to_float(out.assumingMemoryBound(to: Float.self), input.assumingMemoryBound(to: UInt16.self), count)
  case (.float32, .bfloat16):
    graft_float_to_bfloat16(out.assumingMemoryBound(to: UInt16.self), input.assumingMemoryBound(to: Float.self), count)
  case (.float32, .float16):
    graft_float_to_float16(out.assumingMemoryBound(to: UInt16.self), input.assumingMemoryBound(to: Float.self), count)
  case (.float32, .float64): convertElements(out, input, count, from: Float.self) { Double($0) }
  case (.float64, .float32): convertElements(out, input, count, from: Double.self) { Float($0) }
  case (.int64, .float32): convertElements(out, input, count, from: Int64.self) { Float($0) }
  case (.int32, .float32): convertElements(out, input, count, from: Int32.self) { Float($0) }
  case (.int16, .float32): convertElements(out, input, count, from: Int16.self) { Float($0) }
  case (.int8, .float32): convertElements(out, input, count, from: Int8.self) { Float($0) }
  case (.uint8, .float32), (.bool, .float32): convertElements(out, input, count, from: UInt8.self) { Float($0) }
  case (.int32, .int16): convertElements(out, input, count, from: Int32.self) { Int16($0) }
  case (.int32, .uint8): convertElements(out, input, count, from: Int32.self) { UInt8($0) }
  default:
    precondition(source.isFloatingPoint && target.isFloatingPoint, "no conversion from \(source) to \(target)")
    withUnsafeTemporaryAllocation(of: Float.self, capacity: count) { buffer in
      guard let base = buffer.baseAddress else { return }
      convert(base, .float32, input, source, count)
      convert(out, target, base, .float32, count)
    }
  }
}

private func convertElements<Source, Target>(
  _ out: UnsafeMutableRawPointer, _ input: UnsafeRawPointer, _ count: Int, from: Source.Type, _ body: (Source) -> Target
) {
  let source = input.assumingMemoryBound(to: Source.self)
  let target = out.assumingMemoryBound(to: Target.self)
  for index in 0..<count { target[index] = body(source[index]) }
}
