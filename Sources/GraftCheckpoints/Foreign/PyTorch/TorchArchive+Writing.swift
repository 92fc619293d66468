import GraftTensors

extension TorchArchive {
  /// Writes a state dictionary that `torch.load` reads, with its safe defaults too.
  ///
  /// - Throws: `CheckpointError` of kind `cannotCreate` or `inputOutput`, or `unsupported` beyond 4 GiB.
  package static func write(_ tensors: [(name: String, tensor: Tensor)], root: String, to path: String) throws(CheckpointError) {
    var zip = try ZipWriter(at: path)
    try zip.add("\(root)/data.pkl", try pickle(of: tensors, path: path))
    try zip.add("\(root)/byteorder", Array("little".utf8))
    for (index, entry) in tensors.enumerated() {
      let result = entry.tensor.withUnsafeBytes { bytes in
        Result { () throws(CheckpointError) in try zip.add("\(root)/data/\(index)", bytes) }
      }
      try result.get()
    }
    try zip.add("\(root)/version", Array("3\n".utf8))
    try zip.finish()
  }

  /// The dictionary in protocol 2, with as few of its instructions as there can be.
  private static func pickle(of tensors: [(name: String, tensor: Tensor)], path: String) throws(CheckpointError) -> [UInt8] {
    var pickle: [UInt8] = [0x80, 2] + Array("}(".utf8)
    func text(_ text: String) {
      pickle.append(UInt8(ascii: "X"))
      append(UInt32(text.utf8.count), to: &pickle)
      pickle += Array(text.utf8)
    }
    func integer(_ value: Int) {
      if let small = Int32(exactly: value) {
        pickle.append(UInt8(ascii: "J"))
        append(small, to: &pickle)
      } else {
        pickle += [0x8A, 8]
        append(Int64(value), to: &pickle)
      }
    }
    func global(_ module: String, _ name: String) { pickle += Array("c\(module)\n\(name)\n".utf8) }
    func tuple(_ values: [Int]) {
      pickle.append(UInt8(ascii: "("))
      values.forEach(integer)
      pickle.append(UInt8(ascii: "t"))
    }
    for (index, (name, tensor)) in tensors.enumerated() {
      guard let storage = TorchStorage.name(of: ElementType(tensor.dtype)) else {
        throw CheckpointError(.unsupported, path, "PyTorch has no storage of \(tensor.dtype) for '\(name)'")
      }
      text(name)
      global("torch._utils", "_rebuild_tensor_v2")
      pickle += Array("((".utf8)
      text("storage")
      global("torch", storage)
      text(String(index))
      text("cpu")
      integer(tensor.elementCount)
      pickle += Array("tQ".utf8)
      integer(0)
      tuple(tensor.shape.dimensions)
      tuple(tensor.shape.dimensions.indices.map { tensor.shape.dimensions[($0 + 1)...].reduce(1, *) })
      pickle.append(0x89)
      global("collections", "OrderedDict")
      pickle += Array(")RtR".utf8)
    }
    return pickle + Array("u.".utf8)
  }
}
