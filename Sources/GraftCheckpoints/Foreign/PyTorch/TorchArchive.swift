import GraftTensors

/// A state dictionary as `torch.save` writes it: a zip file of a pickle and one member for each run of elements.
///
/// The pickle is read by an interpreter that knows tensors and nothing else.
package enum TorchArchive {
  /// The tensors, over the mapped bytes where they lie in order.
  ///
  /// - Throws: `CheckpointError` of kind `missing`, `malformed`, or `unsupported` for what no state dictionary holds.
  package static func read(_ path: String) throws(CheckpointError) -> [(name: String, tensor: Tensor)] {
    let file = try TorchFile(path)
    var tensors: [(name: String, tensor: Tensor)] = []
    var copied = 0
    for view in file.views {
      let made = try file.tensor(view)
      copied += made.isCopy ? made.tensor.byteCount : 0
      // Many views of one run could otherwise fill the memory.
      guard copied <= file.byteCount else { throw .malformed(path, "its tensors are larger than the file") }
      tensors.append((view.name, made.tensor))
    }
    return tensors
  }
}
