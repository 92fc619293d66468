import CKernels

/// The factors of consecutive blocks of codes.
public struct BlockFactors {
  /// float32: a factor a block, or one a group of `codes`.
  package let values: Tensor
  /// The codes of factors that are quantized themselves (Dettmers et al. 2023, "QLoRA", section 3).
  package let nested: Nested?

  /// The second quantization of factors.
  package struct Nested {
    /// uint8, one a block.
    package let codes: Tensor
    /// float32, the 256 numbers that codes name.
    package let numbers: Tensor
    /// The blocks that share one of the `values`.
    package let group: Int
    /// The number that was subtracted from every factor.
    package let offset: Float

    package init(codes: Tensor, numbers: Tensor, group: Int, offset: Float) {
      (self.codes, self.numbers, self.group, self.offset) = (codes, numbers, group, offset)
    }
  }

  /// - Precondition: float32, and with `nested` a value for each group of its codes.
  package init(_ values: Tensor, nested: Nested? = nil) {
    precondition(values.dtype == .float32 && nested.map { $0.codes.dtype == .uint8 && $0.numbers.elementCount == 256 && $0.group > 0 } ?? true)
    precondition(nested.map { values.elementCount == ($0.codes.elementCount + $0.group - 1) / $0.group } ?? true)
    (self.values, self.nested) = (values, nested)
  }

  /// The number of blocks.
  package var count: Int { nested?.codes.elementCount ?? values.elementCount }

  /// The bytes of factors and their codes.
  var byteCount: Int { values.elementCount * 4 + (nested?.codes.elementCount ?? 0) }

  /// Factors quantized to codes of 8 bits about their mean, 256 to a group, as bitsandbytes does with `compress_statistics`.
  package init(quantizing factors: [Float]) {
    let group = 256
    let offset = CascadeSum.sum(factors) / Float(factors.count)
    let encoded = DynamicCode.encode(factors.map { $0 - offset }, group: group)
    self.init(
      Tensor(encoded.factors),
      nested: Nested(codes: Tensor(bytes: encoded.codes), numbers: Tensor(DynamicCode.numbers), group: group, offset: offset))
  }

  /// Calls `body` with the factors as the kernels read them.
  func withKernelFactors(_ body: (UnsafePointer<graft_block_factors>) -> Void) {
    withExtendedLifetime(self) {
      var factors = graft_block_factors(
        values: values.pointer, codes: nested?.codes.rawPointer.assumingMemoryBound(to: UInt8.self), code: nested?.numbers.pointer,
        group: nested?.group ?? 1, offset: nested?.offset ?? 0)
      withUnsafePointer(to: &factors, body)
    }
  }
}

extension Tensor {
  /// A uint8 vector.
  package init(bytes: [UInt8]) {
    self.init(uninitialized: [bytes.count], dtype: .uint8)
    bytes.withUnsafeBytes { source in
      if let base = source.baseAddress { rawPointer.copyMemory(from: base, byteCount: source.count) }
    }
  }
}
