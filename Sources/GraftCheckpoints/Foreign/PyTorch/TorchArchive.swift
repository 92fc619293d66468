import GraftTensors

/// A state dictionary as `torch.save` writes it: a zip file of a pickle and one member for each run of elements.
///
/// The pickle is read by an interpreter that knows tensors and nothing else.
package enum TorchArchive {
  /// The tensors, over the mapped bytes where they lie in order.
  ///
  /// - Throws: `CheckpointError` of kind `missing`, `malformed`, or `unsupported` for what no state dictionary holds.
  package static func read(_ path: String) throws(CheckpointError) -> [(name: String, tensor: Tensor)] {
    let file = try MappedFile(path)
    if file.bytes.starts(with: [0x80, 0x02]) {
      throw CheckpointError(
        .unsupported, path, "is a bare pickle, as PyTorch wrote before version 1.6", remedy: "save it again with a newer PyTorch")
    }
    let zip = try ZipFile(file.bytes, path: path)
    let suffix = "/data.pkl"
    guard let pickleName = zip.names.first(where: { $0.hasSuffix(suffix) }), let pickle = try zip.content(of: pickleName) else {
      throw .malformed(path, "is a zip file, but none that torch.save wrote")
    }
    let root = pickleName.dropLast(suffix.count)
    if let order = try zip.content(of: "\(root)/byteorder"), !order.elementsEqual("little".utf8) {
      throw CheckpointError(.unsupported, path, "is not little-endian")
    }
    let views = try Unpickler.tensors(of: pickle, location: "\(path): data.pkl")
    var tensors: [(name: String, tensor: Tensor)] = []
    var names: Set<String> = []
    var storages: [String: UnsafeRawBufferPointer] = [:]
    var copied = 0
    for view in views {
      guard names.insert(view.name).inserted else { throw .malformed(path, "holds '\(view.name)' twice") }
      if storages[view.storage] == nil { storages[view.storage] = try zip.content(of: "\(root)/data/\(view.storage)") }
      guard let storage = storages[view.storage], view.elementType.byteCount(of: [view.storageCount]) == storage.count else {
        throw .malformed(path, "the elements of '\(view.name)' are not there as described")
      }
      let made = try tensor(view, over: storage, of: file, path: path)
      copied += made.isCopy ? made.tensor.byteCount : 0
      // Many views of one run could otherwise fill the memory.
      guard copied <= file.bytes.count else { throw .malformed(path, "its tensors are larger than the file") }
      tensors.append((view.name, made.tensor))
    }
    return tensors
  }

  private static func tensor(
    _ view: Unpickler.TensorView, over storage: UnsafeRawBufferPointer, of file: MappedFile, path: String
  ) throws(CheckpointError) -> (tensor: Tensor, isCopy: Bool) {
    let outside = CheckpointError.malformed(path, "'\(view.name)' \(view.shape) does not lie inside its elements")
    let width = view.elementType.bitWidth / 8
    guard let dtype = view.elementType.dtype, let byteCount = view.elementType.byteCount(of: view.shape), byteCount <= storage.count else {
      throw outside
    }
    var last = view.offset
    for (size, stride) in zip(view.shape, view.strides) where byteCount > 0 {
      let (reach, overflow) = (size - 1).multipliedReportingOverflow(by: stride)
      let (sum, carry) = last.addingReportingOverflow(reach)
      guard !overflow, !carry else { throw outside }
      last = sum
    }
    guard byteCount == 0 || last < view.storageCount else { throw outside }
    let shape = Shape(view.shape)
    if byteCount > 0, isInOrder(view), let base = storage.baseAddress {
      let address = base + view.offset * width
      if Int(bitPattern: address) % width == 0 { return (Tensor(borrowing: address, owner: file, shape: shape, dtype: dtype), false) }
    }
    let copy = try AlignedBytes(count: byteCount, for: "\(path): '\(view.name)'")
    if byteCount > 0 { gather(view, storage, width, into: copy.bytes) }
    return (Tensor(borrowing: UnsafeRawPointer(copy.bytes.baseAddress.unsafelyUnwrapped), owner: copy, shape: shape, dtype: dtype), true)
  }

  private static func isInOrder(_ view: Unpickler.TensorView) -> Bool {
    var expected = 1
    for (size, stride) in zip(view.shape, view.strides).reversed() where size != 1 {
      guard stride == expected else { return false }
      expected *= size
    }
    return true
  }

  /// Copies the elements in row-major order.
  private static func gather(_ view: Unpickler.TensorView, _ storage: UnsafeRawBufferPointer, _ width: Int, into out: UnsafeMutableRawBufferPointer) {
    var index = [Int](repeating: 0, count: view.shape.count)
    var source = view.offset
    for element in 0..<view.shape.reduce(1, *) {
      let bytes = UnsafeRawBufferPointer(rebasing: storage[source * width..<(source + 1) * width])
      UnsafeMutableRawBufferPointer(rebasing: out[element * width..<(element + 1) * width]).copyMemory(from: bytes)
      for axis in index.indices.reversed() {
        index[axis] += 1
        // An axis of one element may have any stride, which is then undone.
        source &+= view.strides[axis]
        if index[axis] < view.shape[axis] { break }
        source &-= index[axis] &* view.strides[axis]
        index[axis] = 0
      }
    }
  }
}
