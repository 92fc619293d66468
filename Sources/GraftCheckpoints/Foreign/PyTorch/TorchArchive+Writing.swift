import GraftTensors

extension TorchArchive {
  /// Writes a state dictionary that `torch.load` reads, with its safe defaults too.
  ///
  /// - Throws: `CheckpointError` of kind `cannotCreate` or `inputOutput`, or `unsupported` beyond 4 GiB.
  package static func write(_ tensors: [(name: String, tensor: Tensor)], root: String, to path: String) throws {
    let byName = Dictionary(tensors.map { ($0.name, $0.tensor) }) { first, _ in first }
    try write(tensors.map { TensorDescription(name: $0.name, of: $0.tensor) }, root: root, to: path) { byName[$0.name] ?? Tensor([], [0]) }
  }

  /// Writes a state dictionary of tensors that are made one after the other, so that they need not be in memory together.
  ///
  /// - Parameters:
  ///   - descriptions: the tensors in the order of the dictionary, under distinct names.
  ///   - root: the name of the folder inside the file.
  ///   - provider: answers the tensor of a description; called once for each, in order.
  /// - Throws: `CheckpointError` of kind `cannotCreate` or `inputOutput`, or `unsupported` beyond 4 GiB, or what `provider` throws.
  package static func write(
    _ descriptions: [TensorDescription], root: String, to path: String, from provider: (TensorDescription) throws -> Tensor
  ) throws {
    precondition(Set(descriptions.map(\.name)).count == descriptions.count, "two tensors of one name")
    var zip = try ZipWriter(at: path)
    try zip.add("\(root)/data.pkl", try pickle(of: descriptions, path: path))
    try zip.add("\(root)/byteorder", Array("little".utf8))
    for (index, description) in descriptions.enumerated() {
      let tensor = try provider(description)
      precondition(
        TensorDescription(name: description.name, of: tensor) == description, "the provider's tensor '\(description.name)' is not as described")
      try tensor.withUnsafeBytes { bytes in try zip.add("\(root)/data/\(index)", bytes) }
    }
    try zip.add("\(root)/version", Array("3\n".utf8))
    try zip.finish()
  }

  /// The dictionary in protocol 2, with as few of its instructions as there can be.
  private static func pickle(of descriptions: [TensorDescription], path: String) throws(CheckpointError) -> [UInt8] {
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
    for (index, tensor) in descriptions.enumerated() {
      guard let storage = TorchStorage.name(of: tensor.elementType) else {
        throw CheckpointError(.unsupported, path, "PyTorch has no storage of \(tensor.elementType.rawValue) for '\(tensor.name)'")
      }
      text(tensor.name)
      global("torch._utils", "_rebuild_tensor_v2")
      pickle += Array("((".utf8)
      text("storage")
      global("torch", storage)
      text(String(index))
      text("cpu")
      integer(tensor.elementCount)
      pickle += Array("tQ".utf8)
      integer(0)
      tuple(tensor.shape)
      tuple(tensor.shape.indices.map { tensor.shape[($0 + 1)...].reduce(1, *) })
      pickle.append(0x89)
      global("collections", "OrderedDict")
      pickle += Array(")RtR".utf8)
    }
    return pickle + Array("u.".utf8)
  }
}
