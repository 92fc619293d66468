import GraftTensors

/// A stored tensor's name, element type and shape, without its values.
public struct TensorDescription: Equatable, Sendable {
  /// The tensor's name in the file.
  public var name: String
  /// The encoding of its elements.
  public var elementType: ElementType
  /// The dimensions, outermost first.
  public var shape: [Int]

  /// The description of a tensor.
  public init(name: String, elementType: ElementType, shape: [Int]) {
    self.name = name
    self.elementType = elementType
    self.shape = shape
  }

  /// The description of a tensor in memory.
  public init(name: String, of tensor: Tensor) {
    self.init(name: name, elementType: ElementType(tensor.dtype), shape: tensor.shape.dimensions)
  }

  /// The number of elements.
  public var elementCount: Int { shape.reduce(1, *) }

  /// The number of bytes stored.
  public var byteCount: Int { elementType.byteCount(of: shape) ?? 0 }
}
