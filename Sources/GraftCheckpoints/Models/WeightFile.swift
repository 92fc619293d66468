import GraftTensors

/// A file of a model's weights, of which a tensor is read when it is asked for.
public protocol WeightFile: AnyObject {
  /// The file's path.
  var path: String { get }
  /// The types and shapes of the tensors, in the file's order.
  var descriptions: [TensorDescription] { get }
  /// The type and shape of the tensor called `name`, if there is one.
  func description(of name: String) -> TensorDescription?
  /// The tensor called `name`, over mapped bytes where that is possible.
  /// - Throws: `CheckpointError` of kind `malformed` when there is none, `unsupported` when its type has no tensors.
  func tensor(_ name: String) throws(CheckpointError) -> Tensor
  /// The bytes of the tensor called `name`, whatever its type, as a vector of uint8 over mapped memory where that is possible.
  /// - Throws: `CheckpointError` of kind `malformed` when there is none.
  func bytes(_ name: String) throws(CheckpointError) -> Tensor
  /// Gives `body` the bytes of the tensor called `name`, whatever its type; nil when there is none.
  func withBytes<Result>(of name: String, _ body: (UnsafeRawBufferPointer) -> Result) -> Result?
  /// Gives back the pages of a tensor that has been read and will not be soon again, where the file is mapped.
  func releasePages(of name: String)
  /// Returns true where two names are of the same elements, which the file holds once, as pickles hold what is tied.
  func holdsOnce(_ name: String, _ other: String) -> Bool
}

extension WeightFile {
  public func releasePages(of name: String) {}
  public func holdsOnce(_ name: String, _ other: String) -> Bool { false }

  public func bytes(_ name: String) throws(CheckpointError) -> Tensor { try tensor(name).reinterpretedAsBytes() }

  /// The names of the tensors, in the file's order.
  public var tensorNames: [String] { descriptions.map(\.name) }
  /// Returns true where the file has a tensor of that name.
  public func contains(_ name: String) -> Bool { description(of: name) != nil }
}
