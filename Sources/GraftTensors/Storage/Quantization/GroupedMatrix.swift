import CKernels

/// A matrix of whole numbers in words of 32 bits, whose groups along the inputs have a scale and a zero point for each output:
/// `w = scale * (q - zero)`, stored input by output, `[in, out]`, as GPTQ (Frantar et al. 2022) and AWQ (Lin et al. 2023) publish it.
public struct GroupedMatrix: BlockMatrix {
  /// The order of codes in words.
  public enum Packing: Sendable, Hashable {
    /// Words of consecutive inputs of one output, `[in * bits / 32, out]`: GPTQ's.
    case inputs(bits: Int)
    /// Words of 8 consecutive outputs of one input in the order 0, 2, 4, 6, 1, 3, 5, 7, `[in, out / 8]`: AWQ's.
    case interleavedOutputs

    /// The bits of a code.
    package var bits: Int { if case .inputs(let bits) = self { bits } else { 4 } }
  }

  public let shape: Shape
  public var format: ElementFormat { packing.bits == 8 ? .groupedInt8 : .groupedInt4 }
  public var isMapped: Bool { !words.storage.isWritable }
  public var byteCount: Int { 4 * (words.elementCount + scales.elementCount + zeros.elementCount + groups.count) }
  private let packing: Packing
  /// int32.
  private let words: Tensor
  /// float32, `[groups, out]`.
  private let scales: Tensor, zeros: Tensor
  /// The group of each input.
  private let groups: [Int32]

  /// - Parameters:
  ///   - words: int32, in the order that `packing` says.
  ///   - scales: float32, `[groups, out]`.
  ///   - zeros: float32, `[groups, out]`.
  ///   - groups: the group of each input.
  /// - Precondition: shapes that fit each other.
  public init(_ words: Tensor, packing: Packing, scales: Tensor, zeros: Tensor, groups: [Int32]) {
    shape = [groups.count, scales.shape[1]]
    precondition(words.dtype == .int32 && words.elementCount * 32 == shape.elementCount * packing.bits, "\(words.shape) for \(shape)")
    precondition(scales.dtype == .float32 && zeros.dtype == .float32 && zeros.shape == scales.shape, "\(scales.shape), \(zeros.shape)")
    precondition(groups.allSatisfy { (0..<scales.shape[0]).contains(Int($0)) }, "inputs in none of \(scales.shape[0]) groups")
    (self.words, self.packing, self.scales, self.zeros, self.groups) = (words, packing, scales, zeros, groups)
  }

  public func decode(row: Int, columns: Range<Int>, into elements: inout MutableSpan<Float>) {
    let from = words.rawPointer.assumingMemoryBound(to: UInt32.self)
    let (first, outputs) = (columns.lowerBound, shape[1])
    let group = Int(groups[row]) * outputs + first
    elements.withUnsafeMutableBufferPointer { out in
      guard let out = out.baseAddress else { return }
      switch packing {
      case .inputs(let bits):
        let perWord = 32 / bits
        graft_decode_grouped(
          out, from + row / perWord * outputs + first, Int32(row % perWord * bits), Int32(bits), scales.pointer + group, zeros.pointer + group,
          columns.count)
      case .interleavedOutputs:
        graft_decode_interleaved(out, from + row * (outputs / 8), scales.pointer + group, zeros.pointer + group, first, columns.count)
      }
    }
  }
}
