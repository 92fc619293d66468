import CKernels
import GraftTensors

/// The tensors that a rule keeps for a parameter, in the format that they rest in between its steps.
///
/// In bfloat16 they are widened for an update and rounded by chance after it (Gupta et al. 2015, "Deep Learning with Limited Numerical
/// Precision", section 3.1): to one of the two neighbours, with probabilities that leave the mean as it is. A moment moves by a thousandth of
/// itself in a step, less than half of what 8 bits can tell apart: rounded to nearest it would never move.
struct StoredState {
  private(set) var tensors: [Tensor]

  init(_ tensors: [Tensor]) { self.tensors = tensors }

  /// Makes the memory of every tensor this value's own, so that it may be written in place.
  mutating func makeUnique() {
    for index in tensors.indices { tensors[index].makeUnique() }
  }

  /// Lets `body` update elements of every tensor as float32.
  /// - Parameters:
  ///   - part: the elements of each; all of them where nil.
  ///   - chance: the randomness of the step, of which an element's depends on its place alone.
  func update(_ part: Range<Int>?, chance: RandomStream, _ body: (inout UpdateState) -> Void) {
    let parts = tensors.map { part ?? 0..<$0.elementCount }
    let floats = zip(tensors, parts).map { tensor, part in Self.widened(tensor, part) }
    var state = UpdateState(floats)
    body(&state)
    for (index, (tensor, part)) in zip(tensors, parts).enumerated() where tensor.dtype != .float32 {
      if let source = floats[index].baseAddress {
        graft_float_to_bfloat16_by_chance(
          Self.halves(tensor) + part.lowerBound, source, chance.split(index).key, UInt64(part.lowerBound), part.count)
      }
      floats[index].deallocate()
    }
  }

  /// Elements as float32: the tensor's own memory where it is that already.
  private static func widened(_ tensor: Tensor, _ part: Range<Int>) -> UnsafeMutableBufferPointer<Float> {
    guard tensor.dtype != .float32 else { return UnsafeMutableBufferPointer(start: tensor.mutablePointer + part.lowerBound, count: part.count) }
    let floats = UnsafeMutableBufferPointer<Float>.allocate(capacity: part.count)
    if let target = floats.baseAddress { graft_bfloat16_to_float(target, halves(tensor) + part.lowerBound, part.count) }
    return floats
  }

  private static func halves(_ tensor: Tensor) -> UnsafeMutablePointer<UInt16> { tensor.rawPointer.assumingMemoryBound(to: UInt16.self) }
}
