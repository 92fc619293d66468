import GraftTensors
import Synchronization

/// An opened state dictionary of `torch.save`: its pickle has been read, and a tensor's elements are when they are asked for.
final class TorchFile: Sendable {
  let path: String
  /// The tensors as the pickle describes them, each name once.
  let views: [Unpickler.TensorView]
  private let mapping: MappedFile
  private let archive: ZipFile
  private let root: String
  /// The members whose checksums have been found right.
  private let verified = Mutex<Set<String>>([])

  var byteCount: Int { mapping.bytes.count }

  /// - Throws: `CheckpointError` of kind `missing`, `malformed`, or `unsupported` for what no state dictionary holds.
  init(_ path: String) throws(CheckpointError) {
    (self.path, mapping) = (path, try MappedFile(path))
    if mapping.bytes.starts(with: [0x80, 0x02]) {
      throw CheckpointError(
        .unsupported, path, "is a bare pickle, as PyTorch wrote before version 1.6", remedy: "save it again with a newer PyTorch")
    }
    archive = try ZipFile(mapping.bytes, path: path)
    let suffix = "/data.pkl"
    guard let pickleName = archive.names.first(where: { $0.hasSuffix(suffix) }), let pickle = try archive.content(of: pickleName) else {
      throw .malformed(path, "is a zip file, but none that torch.save wrote")
    }
    root = String(pickleName.dropLast(suffix.count))
    if let order = try archive.content(of: "\(root)/byteorder"), !order.elementsEqual("little".utf8) {
      throw CheckpointError(.unsupported, path, "is not little-endian")
    }
    views = try Unpickler.tensors(of: pickle, location: "\(path): data.pkl")
    var names: Set<String> = []
    for view in views where !names.insert(view.name).inserted { throw .malformed(path, "holds '\(view.name)' twice") }
  }

  /// The run of elements that a view is of, whose checksum is verified once.
  private func content(of view: Unpickler.TensorView) throws(CheckpointError) -> UnsafeRawBufferPointer {
    let member = "\(root)/data/\(view.storage)"
    let isVerified = verified.withLock { $0.contains(member) }
    guard let storage = isVerified ? archive.unverifiedContent(of: member) : try archive.content(of: member),
      view.elementType.byteCount(of: [view.storageCount]) == storage.count
    else { throw .malformed(path, "the elements of '\(view.name)' are not there as described") }
    _ = verified.withLock { $0.insert(member) }
    return storage
  }

  /// The tensor of a view, over the mapped bytes where its elements lie in order.
  /// - Throws: `CheckpointError` of kind `malformed` for a view that does not lie inside its elements, and for elements that are damaged.
  func tensor(_ view: Unpickler.TensorView) throws(CheckpointError) -> (tensor: Tensor, isCopy: Bool) {
    let storage = try content(of: view)
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
    if byteCount > 0, Self.isInOrder(view), let base = storage.baseAddress {
      let address = base + view.offset * width
      if Int(bitPattern: address) % width == 0 { return (Tensor(borrowing: address, owner: mapping, shape: shape, dtype: dtype), false) }
    }
    let copy = try AlignedBytes(count: byteCount, for: "\(path): '\(view.name)'")
    if byteCount > 0 { Self.gather(view, storage, width, into: copy.bytes) }
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
