extension Tensor {
  /// True where nobody else holds the elements, so that they may be written.
  package mutating func isUnique() -> Bool {
    guard storage.isWritable && isKnownUniquelyReferenced(&storage) else { return false }
    if storage.narrowedCopy != nil { storage.narrowedCopy = nil }
    return true
  }

  /// Room for a result: the memory of these elements where nobody else holds it.
  package mutating func reusedMemory(shape: Shape? = nil) -> Tensor {
    let shape = shape ?? self.shape
    return isUnique() && dtype == .float32 ? Tensor(storage: storage, offset: offset, shape: shape, dtype: .float32) : Tensor(uninitialized: shape)
  }

  /// The bytes of the elements as a uint8 vector, over the same memory.
  package func reinterpretedAsBytes() -> Tensor {
    Tensor(storage: storage, offset: dtype.bytes(for: offset), shape: [dtype.bytes(for: elementCount)], dtype: .uint8)
  }

  /// Copies the elements where somebody else holds them too.
  package mutating func makeUnique() {
    if isUnique() { return }
    let copy = Tensor(uninitialized: shape, dtype: dtype)
    let from = rawPointer
    let to = copy.rawPointer
    let width = dtype.bytesPerBlock
    parallel(over: elementCount, grain: elementwiseGrain) { part in
      (to + part.lowerBound * width).copyMemory(from: from + part.lowerBound * width, byteCount: part.count * width)
    }
    releaseMappedPages()
    let (oldNode, oldSerial) = (node, tapeSerial)
    self = copy
    (node, tapeSerial) = (oldNode, oldSerial)
  }
}
