import CKernels

/// Each element is 0 with the given probability and scaled by `1 / (1 - probability)` otherwise (Srivastava et al. 2014).
///
/// The mask is a function of the stream: it is drawn again for the gradient instead of being kept.
public func dropout(_ x: Tensor, probability: Float, _ stream: RandomStream) -> Tensor {
  guard probability > 0 else { return x }
  let input = x.slot
  return recorded("dropout", dropped(x, keep: 1 - probability, stream), from: input) { gradient, tape in
    tape.accumulate(dropped(gradient, keep: 1 - probability, stream), into: input)
  }
}

private func dropped(_ x: Tensor, keep: Float, _ stream: RandomStream) -> Tensor {
  let out = Tensor(uninitialized: x.shape)
  let o = out.mutablePointer
  let from = x.pointer
  parallel(over: x.elementCount, grain: elementwiseGrain) { part in
    graft_dropout(o + part.lowerBound, from + part.lowerBound, keep, stream.key, UInt64(part.lowerBound), part.count)
  }
  return out
}

let dropoutSpecimens: [OperationSpecimen] = [
  OperationSpecimen("dropout", .init("x", [8, 8])) { dropout($0[0], probability: 0.4, RandomStream(seed: 5)) }
]
